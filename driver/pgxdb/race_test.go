//go:build race

package pgxdb_test

// lost is how many allocations a call may cost on top since the race detector
// has sync.Pool throw away some of what it is given.
const lost = 4
