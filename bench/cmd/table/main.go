// Command table runs the comparison and prints it as a Markdown table: every
// subject in turn, several rounds, medians, and what each adds to raw
// database/sql in the same run.
//
//	go run -C bench ./cmd/table [-rounds 5] [-time 200ms] [-sqlite] [-only exec] [-subject tracing]
package main

import (
	"database/sql/driver"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/bench"
)

func main() {
	testing.Init()
	rounds := flag.Int("rounds", 5, "rounds of every measurement, of which the median is printed")
	length := flag.String("time", "200ms", "length of one measurement")
	sqlite := flag.Bool("sqlite", false, "measure on SQLite instead of the fake driver")
	only := flag.String("only", "", "measure the workloads whose name holds this text")
	subject := flag.String("subject", "", "measure raw database/sql and the subjects whose name and provider match this expression")
	flag.Parse()
	if err := run(*rounds, *length, *sqlite, *only, *subject); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(rounds int, length string, sqlite bool, only, subject string) error {
	subjects, err := matching(subject)
	if err != nil {
		return err
	}
	if rounds < 1 {
		return fmt.Errorf("-rounds %d: at least one round is needed", rounds)
	}
	if err := flag.Set("test.benchtime", length); err != nil {
		return fmt.Errorf("-time %s: %w", length, err)
	}
	connect, loads, on := bench.FakeConnector, bench.Workloads, "an in-memory driver"
	if sqlite {
		connect, loads, on = bench.SQLiteConnector, bench.SQLiteWorkloads, "SQLite"
	}
	fmt.Printf("%s, %s/%s, %d CPUs; on %s; medians of %d rounds of %s, subjects in turn\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), on, rounds, length)
	for _, load := range loads {
		if strings.Contains(load.Name, only) {
			if err := table(load, connect, subjects, rounds); err != nil {
				return err
			}
		}
	}
	return nil
}

// sample is one measurement.
type sample struct{ ns, bytes, allocs float64 }

// matching returns the subjects to measure, raw database/sql first.
func matching(expression string) ([]bench.Subject, error) {
	match, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("-subject: %w", err)
	}
	all := bench.Subjects()
	out := all[:1]
	for _, s := range all[1:] {
		if match.MatchString(s.Name + " " + string(s.State)) {
			out = append(out, s)
		}
	}
	return out, nil
}

func table(load bench.Workload, connect func(string) (driver.Connector, error), subjects []bench.Subject, rounds int) error {
	samples := make([][]sample, len(subjects))
	for range rounds {
		for i, subject := range subjects {
			s, err := measure(subject, load, connect)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", subject.Name, load.Name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	fmt.Printf("\n### %s\n\n| | provider | ns/op | x raw | added ns | B/op | allocs/op |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n", load.Name)
	raw := median(samples[0]).ns
	for i, subject := range subjects {
		m := median(samples[i])
		fmt.Printf("| %s | %s | %.0f | %.2f | %+.0f | %.0f | %.0f |\n",
			subject.Name, subject.State, m.ns, m.ns/raw, m.ns-raw, m.bytes, m.allocs)
	}
	return nil
}

func measure(subject bench.Subject, load bench.Workload, connect func(string) (driver.Connector, error)) (sample, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return sample{}, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	c, err := connect(dir)
	if err != nil {
		return sample{}, err
	}
	r := testing.Benchmark(func(b *testing.B) { bench.Run(b, subject, load, c) })
	if r.N == 0 {
		return sample{}, fmt.Errorf("the workload failed")
	}
	n := float64(r.N)
	return sample{float64(r.T.Nanoseconds()) / n, float64(r.MemBytes) / n, float64(r.MemAllocs) / n}, nil
}

func median(all []sample) sample {
	pick := func(value func(sample) float64) float64 {
		vs := make([]float64, len(all))
		for i, s := range all {
			vs[i] = value(s)
		}
		slices.Sort(vs)
		return vs[len(vs)/2]
	}
	return sample{
		pick(func(s sample) float64 { return s.ns }),
		pick(func(s sample) float64 { return s.bytes }),
		pick(func(s sample) float64 { return s.allocs }),
	}
}
