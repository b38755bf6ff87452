//go:build race

package alloctest

// Lost is how many allocations an operation may cost on top of its due, since
// the race detector has sync.Pool throw away some of what it is given. The test
// command counts once more without the detector.
const Lost = 10
