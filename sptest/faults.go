package sptest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// Faults is an interceptor that makes faults. Put it innermost: what is inside it
// does not see them. A fault is raised where the driver would raise it, so
// everything above behaves as in earnest: the unit of work, the connection pool,
// the guard of transactions that the database has undone.
//
// A connection that a fault has cost stays lost: its transaction is rolled back,
// every later call on it fails, and the pool closes it. On SQLite, which has no
// connection to lose, its transaction is rolled back and its file stays.
//
// The zero value makes no faults until it is told to. A Faults is safe for
// concurrent use.
type Faults struct {
	mu      sync.Mutex
	rules   []*ruling
	next    []Fault
	strikes []Strike
	observe func(Call) // of each call, before it is performed; nil: nobody
	rival   func()     // to be run before the next call outside of a transaction; nil: none
	onRival func()     // what rival is set to by a conflict
}

// Strike is a fault that was made.
type Strike struct {
	// Fault is the fault's name.
	Fault string
	// Call is the call that it struck.
	Call Call
}

// NewFaults returns an interceptor that makes faults by rules. The first rule that
// applies to a call decides. An impossible rule is an error.
func NewFaults(rules ...Rule) (*Faults, error) {
	f := &Faults{}
	for _, r := range rules {
		if err := f.Add(r); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Add adds a rule, after those there are.
func (f *Faults) Add(r Rule) error {
	ruling, err := r.ruling()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, ruling)
	return nil
}

// Next has the next call that fault can strike fail by it, whatever the rules say.
// Faults that were given earlier come first. A fault that does nothing, because the
// driver does not know it, is an error.
func (f *Faults) Next(fault Fault) error {
	if err := fault.check(); err != nil {
		return fmt.Errorf("sptest: next %q: %w", fault.Name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, fault)
	return nil
}

// Clear removes all rules, and what [Faults.Next] was given.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.next, f.rival = nil, nil, nil
}

// Strikes returns the faults that were made, in order.
func (f *Faults) Strikes() []Strike {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.strikes)
}

// Wrap is the method of [sessionproxy.Interceptor].
func (f *Faults) Wrap(next sessionproxy.Handler) sessionproxy.Handler {
	return func(ctx context.Context, call *sessionproxy.Call) error {
		if !slices.Contains(talks, call.Op) {
			return next(ctx, call)
		}
		if attach.Lost(call) {
			return attach.Fail(ctx, call, next, attach.Failure{Err: driver.ErrBadConn, Lost: true})
		}
		c := callOf(call)
		fault, rival := f.decide(&c)
		if rival != nil {
			rival()
		}
		if fault == nil {
			return next(ctx, call)
		}
		return f.strike(ctx, call, next, fault, c)
	}
}

// decide returns the fault that strikes a call, or nil, and what another
// transaction does before.
func (f *Faults) decide(c *Call) (*Fault, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rival := f.rival
	if c.InTx || c.Op == sessionproxy.OpConnect {
		rival = nil
	} else {
		f.rival = nil
	}
	if f.observe != nil {
		f.observe(*c)
	}
	fault := f.chosen(c)
	if fault == nil {
		return nil, rival
	}
	if fault.Rows == 0 {
		f.strikes = append(f.strikes, Strike{fault.Name, *c})
	}
	if fault.Conflict {
		f.rival = f.onRival
	}
	return fault, rival
}

func (f *Faults) chosen(c *Call) *Fault {
	for i := range f.next {
		if fault := f.next[i]; fault.strikes(c) {
			f.next = slices.Delete(f.next, i, i+1)
			return &fault
		}
	}
	for _, r := range f.rules {
		if r.applies(c) {
			return &r.Fault
		}
	}
	return nil
}

// ErrCannotHang is the error of a call that was to hang although its context can't
// end.
var ErrCannotHang = errors.New("sptest: the call was to hang, but its context has no end")

// strike makes the call fail.
func (f *Faults) strike(ctx context.Context, call *sessionproxy.Call, next sessionproxy.Handler, fault *Fault, c Call) error {
	failure := attach.Failure{Err: fault.Err, After: fault.After, Lost: fault.Lost, Rows: fault.Rows, Panic: fault.Panic}
	if fault.Rows > 0 {
		failure.Struck = func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.strikes = append(f.strikes, Strike{fault.Name, c})
		}
	}
	switch {
	case fault.Hang && ctx.Done() == nil:
		failure.Err = ErrCannotHang
	case fault.Hang:
		<-ctx.Done()
		failure.Err = ctx.Err()
	case fault.Delay > 0 && !pause(ctx, fault.Delay):
		failure.Err = ctx.Err()
	}
	if failure.Err == nil && failure.Panic == nil {
		return next(ctx, call)
	}
	return attach.Fail(ctx, call, next, failure)
}

// pause waits for d, and reports whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Latency returns the fault of a call that takes d longer.
func Latency(d time.Duration) Fault { return Fault{Name: "latency", Delay: d} }

// Hang returns the fault of a call that gets no answer until its context ends.
// Drivers of servers close the connection then, and the call may have taken effect
// or not; here it has not, unless you set After. On SQLite set Lost to false.
func Hang() Fault { return Fault{Name: "hang", Hang: true, Lost: true} }

// Panic returns the fault of a driver that panics with v.
func Panic(v any) Fault { return Fault{Name: "panic", Panic: v} }

// watch has every call told to observe, which may not call f.
func (f *Faults) watch(observe func(Call)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.observe = observe
}

// setRival sets what is done after a conflict, before the next call outside of a
// transaction.
func (f *Faults) setRival(rival func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onRival = rival
}
