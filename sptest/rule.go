package sptest

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/sessionproxy/sessionproxy"
)

// A Rule says which calls a fault strikes: those that fit all of its fields. The
// zero value of a field fits every call.
type Rule struct {
	// Fault is what happens to them. It strikes only where it can; see [Fault].
	Fault Fault
	// Op is the operation.
	Op sessionproxy.Op
	// Summary is the statement's summary, such as "UPDATE account", or the name of
	// an operation, such as "COMMIT".
	Summary string
	// Match decides about calls that the other fields fit; nil fits all. It is
	// called by one goroutine at a time.
	Match func(c Call) bool
	// Nth is which of the calls that fit is struck, from 1; 0: each.
	Nth int
	// Share is the share of the calls that fit which are struck, drawn at random,
	// above 0 and at most 1; 0: each.
	Share float64
	// Seed is where the random numbers of Share begin: the same calls in the same
	// order are struck in each run with the same seed.
	Seed uint64
}

// ruling is a rule at work. Faults guards it.
type ruling struct {
	Rule
	random *rand.Rand
	seen   int
}

func (r Rule) ruling() (*ruling, error) {
	switch f := r.Fault; {
	case r.Nth < 0:
		return nil, fmt.Errorf("sptest: rule %q: Nth is %d, want from 0", f.Name, r.Nth)
	case r.Share < 0 || r.Share > 1:
		return nil, fmt.Errorf("sptest: rule %q: Share is %v, want 0 to 1", f.Name, r.Share)
	case r.Nth > 0 && r.Share > 0:
		return nil, fmt.Errorf("sptest: rule %q: Nth and Share exclude each other", f.Name)
	default:
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("sptest: rule %q: %w", f.Name, err)
		}
	}
	return &ruling{Rule: r, random: rand.New(rand.NewPCG(r.Seed, 0))}, nil
}

// check returns what is wrong with a fault.
func (f *Fault) check() error {
	switch {
	case f.Err == nil && f.Panic == nil && !f.Hang && f.Delay == 0:
		return errors.New("the fault does nothing: it has no Err, no Panic, no Hang and no Delay; the driver may not know it")
	case f.Rows < 0 || f.Delay < 0:
		return fmt.Errorf("want Rows and Delay from 0, have %d and %v", f.Rows, f.Delay)
	case f.Rows > 0 && f.After:
		return errors.New("with Rows, which come from a call that was performed, there is no After")
	}
	return nil
}

// applies reports whether the rule strikes a call.
func (r *ruling) applies(c *Call) bool {
	if r.Op != sessionproxy.OpUnknown && r.Op != c.Op || r.Summary != "" && r.Summary != c.Summary || !r.Fault.strikes(c) {
		return false
	}
	if r.Match != nil && !r.Match(*c) {
		return false
	}
	r.seen++
	if r.Share > 0 {
		return r.random.Float64() < r.Share
	}
	return r.Nth == 0 || r.Nth == r.seen
}
