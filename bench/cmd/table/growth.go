package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sessionproxy/sessionproxy/bench"
)

const growthName = "orm: one object, by the number in the session"

// showGrowth measures every size once per round, and prints medians.
func showGrowth(measure func(ctx context.Context, n int) (bench.OrmGrowth, error), rounds int) error {
	samples := make([][]bench.OrmGrowth, len(bench.OrmSizes))
	for range rounds {
		for i, n := range bench.OrmSizes {
			g, err := measure(context.Background(), n)
			if err != nil {
				return fmt.Errorf("%s, %d: %w", growthName, n, err)
			}
			samples[i] = append(samples[i], g)
		}
	}
	fmt.Printf("### %s\n\n| objects | add and flush, ns | flush of no change, ns | load, ns | get, in memory, ns | get of one more, µs | bytes | without session |\n"+
		"| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n", growthName)
	for i, n := range bench.OrmSizes {
		of := func(value func(g bench.OrmGrowth) float64) float64 {
			values := make([]float64, rounds)
			for k, g := range samples[i] {
				values[k] = value(g)
			}
			return median(values)
		}
		ns := func(value func(g bench.OrmGrowth) time.Duration) float64 {
			return of(func(g bench.OrmGrowth) float64 { return float64(value(g)) })
		}
		fmt.Printf("| %d | %.0f | %.1f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", n,
			ns(func(g bench.OrmGrowth) time.Duration { return g.Add }),
			ns(func(g bench.OrmGrowth) time.Duration { return g.Flush }),
			ns(func(g bench.OrmGrowth) time.Duration { return g.Load }),
			ns(func(g bench.OrmGrowth) time.Duration { return g.Hit }),
			ns(func(g bench.OrmGrowth) time.Duration { return g.Miss })/1e3,
			of(func(g bench.OrmGrowth) float64 { return g.Bytes }),
			of(func(g bench.OrmGrowth) float64 { return g.Bare }))
	}
	fmt.Println()
	return nil
}
