package bench

import (
	"fmt"
	"flag"
	"testing"
	"math"
	"runtime"
)

func TestZZMin(t *testing.T) {
	held := make([]byte, 64<<20)
	defer runtime.KeepAlive(held)
	flag.Set("test.benchtime", "10ms")
	for _, wl := range []int{1} {
	want := map[string]bool{"raw database/sql": true, "sqlmw + bare SDK span": true, "sessionproxy, tracing": true}
	var subs []Subject
	for _, s := range Subjects() {
		if want[s.Name] && (s.State == "" || s.State == Always) {
			subs = append(subs, s)
		}
	}
	best := make([]float64, len(subs))
	for i := range best { best[i] = math.Inf(1) }
	for range 100 {
		for i, s := range subs {
			r := testing.Benchmark(func(b *testing.B) {
				c, _ := FakeConnector("")
				Run(b, s, Workloads[wl], c)
			})
			best[i] = min(best[i], float64(r.T.Nanoseconds())/float64(r.N))
		}
	}
	for i, s := range subs { fmt.Printf("%-40s %.0f\n", s.Name, best[i]) }
	}
}
