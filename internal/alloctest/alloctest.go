// Package alloctest counts allocations in tests, so that the count is the
// code's own.
package alloctest

import "testing"

// PerRun returns how often f allocates. It is the least of a few counts of
// [testing.AllocsPerRun]: a collection that empties the pools in between, and
// what other goroutines allocate, only ever add to one.
func PerRun(runs int, f func()) float64 {
	least := testing.AllocsPerRun(runs, f)
	for range 4 {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}
