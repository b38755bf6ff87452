package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/bench"
)

// sample is one measurement.
type sample struct{ ns, bytes, allocs float64 }

// rounds measures every case of a table once per round: whatever slows the
// machine down for a while slows all of them down. Each round begins with
// another case, so that none always follows the same one.
func rounds(t bench.Table, n int) ([][]sample, error) {
	samples := make([][]sample, len(t.Cases))
	for round := range n {
		for k := range t.Cases {
			i := (k + round) % len(t.Cases)
			s, err := measure(t.Cases[i])
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", t.Cases[i].Subject, t.Name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

func measure(c bench.Case) (sample, error) {
	r := testing.Benchmark(c.Bench)
	if r.N == 0 {
		return sample{}, fmt.Errorf("the workload failed")
	}
	n := float64(r.N)
	return sample{float64(r.T.Nanoseconds()) / n, float64(r.MemBytes) / n, float64(r.MemAllocs) / n}, nil
}

// show prints a table. Times are compared within each round.
func show(t bench.Table, samples [][]sample) {
	fmt.Printf("### %s\n\n| | provider | ns/op | x raw | added ns | B/op | allocs/op |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n", t.Name)
	raw := samples[0]
	for i, c := range t.Cases {
		of := func(value func(s, raw sample) float64) float64 {
			values := make([]float64, len(raw))
			for round, s := range samples[i] {
				values[round] = value(s, raw[round])
			}
			return median(values)
		}
		fmt.Printf("| %s | %s | %.0f | %.2f | %+.0f | %.0f | %.0f |\n", c.Subject, c.State,
			of(func(s, _ sample) float64 { return s.ns }),
			of(func(s, raw sample) float64 { return s.ns / raw.ns }),
			of(func(s, raw sample) float64 { return s.ns - raw.ns }),
			of(func(s, _ sample) float64 { return s.bytes }),
			of(func(s, _ sample) float64 { return s.allocs }))
	}
	fmt.Println()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
