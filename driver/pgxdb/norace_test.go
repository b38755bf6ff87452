//go:build !race

package pgxdb_test

// lost is how many allocations a call may cost on top: see race_test.go.
const lost = 0
