package bench

import (
	"context"
	"testing"
	"runtime"
	"time"
	"fmt"
	"slices"
	"os"
	"strings"
	"regexp"
	"runtime/pprof"
)

func TestScratch(t *testing.T) {
	ctx := context.Background()
	be, err := OrmPostgres(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	kind := os.Getenv("KIND")
	rounds := 60
	fmt.Sscan(os.Getenv("ROUNDS"), &rounds)
	pick := os.Getenv("SUBJ")
	held := make([]byte, 64<<20)
	defer runtime.KeepAlive(held)
	var prof *os.File
	if n := os.Getenv("PROF"); n != "" {
		prof, _ = os.Create(n)
		runtime.SetCPUProfileRate(1000); pprof.StartCPUProfile(prof)
	}
	times := map[string][]float64{}
	for _, load := range ormLoads {
		if !strings.Contains(load.name, kind) { continue }
		if load.reads {
			be.Reset(ctx, load.rows)
		}
		for r := range rounds {
			for k := range be.Subjects {
				s := be.Subjects[(k+r)%len(be.Subjects)]
				if !s.does(load.name) || pick != "" && !regexp.MustCompile(pick).MatchString(s.Name) { continue }
				if !load.reads {
				be.Reset(ctx, load.rows)
				}
				if err := be.within(ctx, s, func(w OrmWork) error {
					run, err := load.prepare(ctx, w)
					if err != nil { return err }
					runtime.GC()
					var a, b runtime.MemStats
					runtime.ReadMemStats(&a)
					began := time.Now()
					err = run()
					d := time.Since(began)
					runtime.ReadMemStats(&b)
					times[s.Name] = append(times[s.Name], float64(d)/float64(load.objects))
					times[s.Name+" allocs"] = append(times[s.Name+" allocs"], float64(b.Mallocs-a.Mallocs)/float64(load.objects))
					times[s.Name+" bytes"] = append(times[s.Name+" bytes"], float64(b.TotalAlloc-a.TotalAlloc)/float64(load.objects))
					return err
				}); err != nil { t.Fatal(err) }
			}
		}
		best := 0.0
		for _, s := range be.Subjects {
			if v := times[s.Name]; v != nil {
				w := slices.Clone(v)
				slices.Sort(w)
				med := w[len(w)/2]
				if s.Hand && (best == 0 || med < best) { best = med }
				fmt.Printf("%-40s %-34s med %6.0f min %6.0f  x %.2f  allocs %.1f bytes %.0f\n", load.name, s.Name, med, w[0], med/best, times[s.Name+" allocs"][0], times[s.Name+" bytes"][0])
			}
		}
		clear(times)
	}
	if prof != nil { pprof.StopCPUProfile(); prof.Close() }
}
