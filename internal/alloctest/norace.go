//go:build !race

package alloctest

// Lost is how many allocations an operation may cost on top of its due: none,
// unless the race detector runs.
const Lost = 0
