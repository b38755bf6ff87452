package outage

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Outcome is how a call ended for its caller.
type Outcome uint8

const (
	// OK is a call that did what it was to do.
	OK Outcome = iota
	// Failed is a call that came to an error that was not the client's own.
	Failed
	// Refused is a call that the client's own machinery refused.
	Refused
)

// A sample is one call. Times are since the round began.
type sample struct {
	start, took time.Duration
	outcome     Outcome
	write       bool
	watched     bool // the scenario looks at calls of its kind separately
}

func (s sample) end() time.Duration { return s.start + s.took }

// recorder collects samples. It is safe for concurrent use.
type recorder struct {
	mu      sync.Mutex
	samples []sample
}

func (r *recorder) add(s sample) {
	r.mu.Lock()
	r.samples = append(r.samples, s)
	r.mu.Unlock()
}

// take returns the samples in the order in which their calls began.
func (r *recorder) take() []sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.samples, func(a, b sample) int { return cmp.Compare(a.start, b.start) })
	return r.samples
}
