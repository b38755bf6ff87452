package main

import (
	"cmp"
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
			s, err := measure(t.Cases[i], max(t.Per, 1))
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", t.Cases[i].Subject, t.Name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

func measure(c bench.Case, per int) (sample, error) {
	r := testing.Benchmark(c.Bench)
	if r.N == 0 {
		return sample{}, fmt.Errorf("the workload failed")
	}
	n := float64(r.N) * float64(per)
	return sample{float64(r.T.Nanoseconds()) / n, float64(r.MemBytes) / n, float64(r.MemAllocs) / n}, nil
}

// show prints a table. Times are compared within each round.
func show(t bench.Table, samples [][]sample) {
	per, what := "op", "x raw"
	if t.Per > 1 {
		per = "object"
	}
	if t.Hand > 1 {
		what = "x best by hand"
	}
	fmt.Printf("### %s\n\n| | provider | ns/%[2]s | %s | added ns | B/%[2]s | allocs/%[2]s |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n", t.Name, per, what)
	raw := fastest(samples[:max(t.Hand, 1)])
	for i, c := range t.Cases {
		of := func(value func(s, raw sample) float64) float64 { return over(samples[i], raw, value) }
		fmt.Printf("| %s | %s | %.0f | %.2f | %+.0f | %.0f | %.*f |\n", c.Subject, c.State,
			of(func(s, _ sample) float64 { return s.ns }),
			of(func(s, raw sample) float64 { return s.ns / raw.ns }),
			of(func(s, raw sample) float64 { return s.ns - raw.ns }),
			of(func(s, _ sample) float64 { return s.bytes }),
			min(t.Per, 1), of(func(s, _ sample) float64 { return s.allocs }))
	}
	fmt.Println()
}

// over is the median over the rounds of a value of two samples.
func over(a, b []sample, value func(a, b sample) float64) float64 {
	values := make([]float64, len(a))
	for round := range a {
		values[round] = value(a[round], b[round])
	}
	return median(values)
}

// fastest returns the samples of the case whose median is the least.
func fastest(cases [][]sample) []sample {
	return slices.MinFunc(cases, func(a, b []sample) int {
		ns := func(s, _ sample) float64 { return s.ns }
		return cmp.Compare(over(a, a, ns), over(b, b, ns))
	})
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
