package sptest

import (
	"context"
	"testing"
	"time"
)

// EveryFault proves a unit of work: it runs the unit once for each of its calls and
// each fault that can strike there, and compares what the caller was told with what
// is in the database.
//
// setup opens a fresh database and what else the unit needs. It is called for each
// run, with a t whose Cleanup runs at the end of that run, and puts faults innermost
// into the chain that is to be proven. The database must survive the loss of a
// connection: an SQLite database in memory does not, one in a file of t.TempDir does.
//
// unit is the work, as its caller would have it done: RunInTx, or a handler of a
// request. It must make the same calls each time.
//
// check says how often the unit's work is done, as the database shows it, and
// returns an error if it finds something else: half of the work, or a trace of it
// outside of the database (an e-mail) that does not agree. It runs when no fault is
// made any more, and once before the unit, where it says from which number to count.
//
// The outcome is right if the work is done once when the caller got no error; not at
// all when it got one; and once or not at all when the error matches
// [sessionproxy.ErrCommitUnknown], or is of a statement outside of a transaction of
// which nobody knows. For everything else the test fails, with the fault that leads
// there and the name of the unit; the whole table is logged.
//
// After a fault that is a conflict ([Fault.Conflict]) another transaction has done
// something, or there would have been none. EveryFault lets it be the unit itself,
// run by another caller after the rollback and before the replay, if doing the unit's
// work twice does it twice; see [WithRival].
//
// Runs follow one another, on the goroutine of the test. A unit of ten statements
// makes about a hundred, at some milliseconds each on SQLite: give the chain of the
// test a short back-off, or the pauses of its retries are most of it.
func EveryFault[D any](t testing.TB, faults []Fault,
	setup func(t testing.TB, faults *Faults) D,
	unit func(ctx context.Context, db D) error,
	check func(ctx context.Context, db D) (done int, err error),
	opts ...Option,
) *Report {
	t.Helper()
	c, err := newConfig(opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) == 0 {
		t.Fatal("sptest: EveryFault: there are no faults to make")
	}
	for i := range faults {
		if err := faults[i].check(); err != nil {
			t.Fatalf("sptest: EveryFault: fault %q: %v", faults[i].Name, err)
		}
	}
	p := &proof[D]{t: t, config: c, setup: setup, unit: unit, check: check, name: c.name}
	if p.name == "" {
		p.name = nameOf(unit)
	}
	if c.rival != nil {
		p.rival = func(ctx context.Context, db D) error { return c.rival(ctx, db) }
	}
	r := p.run(faults)
	t.Log(r.String())
	for _, row := range r.Wrong() {
		t.Errorf("%s is not safe: %s, at %s: the caller got %s, the work is done %s: %s", r.Unit, row.Fault, row.at(), row.told(), times(row.Done), row.Problem)
	}
	return r
}

// Option configures [EveryFault].
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	name    string
	timeout time.Duration
	rival   func(ctx context.Context, db any) error
	alone   bool
	err     error
}

func newConfig(opts []Option) (config, error) {
	c := config{timeout: 30 * time.Second}
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	return c, c.err
}
