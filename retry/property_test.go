package retry_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

// fate is what a performance of a call does to a model of the database, and
// the error that tells of it.
type fate struct {
	err      error
	progress fault.Progress
	effect   bool // the work took effect, though err is all that the caller hears
	harmless bool // whatever comes of it, it left no trace
}

// fates are the ends a call can have. Where the caller can't know whether the
// work took effect, there is one of either kind.
var fates = []fate{
	{err: nil, effect: true},
	{err: serialization, harmless: true},
	{err: pgError("40P01"), harmless: true},
	{err: noMemory, harmless: true},
	{err: unique, harmless: true},
	{err: errUnknown, harmless: true},
	{err: errRejected, harmless: true},
	{err: driver.ErrBadConn, progress: fault.ProgressUnsent, harmless: true},
	{err: errRefused, harmless: true},
	{err: errLost, progress: fault.ProgressSent},
	{err: errLost, progress: fault.ProgressSent, effect: true},
	{err: driver.ErrBadConn},
	{err: driver.ErrBadConn, effect: true},
	{err: &fault.ConnLostError{Err: driver.ErrBadConn}, effect: true},
	{err: fault.ErrAttemptTimeout, effect: true},
	{err: fault.ErrPoolTimeout, progress: fault.ProgressUnsent, harmless: true},
	{err: context.Canceled, progress: fault.ProgressSent, effect: true},
	{err: &fault.CommitError{Err: errLost}, effect: true},
	{err: &fault.CommitError{Err: errLost}},
}

// passing are the fates after which most calls may be repeated.
var passing = []fate{
	{err: serialization, harmless: true},
	{err: noMemory, harmless: true},
	{err: errRefused, harmless: true},
	{err: driver.ErrBadConn, progress: fault.ProgressUnsent, harmless: true},
	{err: &fault.CommitError{Err: errLost}},
}

// database is an operation that draws its fate, counts its effects, and takes
// time.
type database struct {
	fates   []fate
	took    time.Duration
	unit    bool
	effects int
	starts  []time.Time
	last    fate
	seen    []fate
}

func (d *database) Do(ctx context.Context, call *sp.Call) error {
	d.starts = append(d.starts, time.Now())
	d.last = d.fates[min(len(d.starts), len(d.fates))-1]
	// The work of a unit takes effect by its COMMIT alone: a doubtful one is
	// marked, any other error came before it.
	if d.unit && d.last.err != nil && !errors.Is(d.last.err, fault.ErrCommitUnknown) {
		d.last.effect, d.last.harmless = false, true
	}
	d.seen = append(d.seen, d.last)
	time.Sleep(d.took)
	if d.last.effect {
		d.effects++
	}
	if d.last.err != nil {
		call.Judge(ctx, d.last.err, call.Op.Phase(), d.last.progress)
	}
	return d.last.err
}

// world is a drawn situation.
type world struct {
	db       database
	attempts int
	shape    func(*sp.Call)
	inTx     bool
	marked   bool // idempotent
	verify   bool
	deadline time.Duration // 0: none
	leaves   time.Duration // when the caller cancels; 0: never
	capacity int
}

func drawWorld(t *rapid.T) *world {
	w := &world{
		attempts: rapid.SampledFrom([]int{3, 6, 2, 4, 1}).Draw(t, "attempts"),
		inTx:     rapid.IntRange(0, 9).Draw(t, "inTx") == 9,
		marked:   rapid.Bool().Draw(t, "idempotent"),
		deadline: drawTime(t, "deadline"),
		leaves:   drawTime(t, "leaves"),
		capacity: rapid.SampledFrom([]int{80, 20, 3}).Draw(t, "capacity"),
	}
	// Without the passing fates few calls would get to a second attempt.
	w.db.fates = rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(fates), rapid.SampledFrom(passing)), 1, 8).Draw(t, "fates")
	w.db.took = time.Duration(rapid.IntRange(0, 50).Draw(t, "took")) * time.Millisecond
	w.db.unit = rapid.Bool().Draw(t, "unit")
	w.verify = w.db.unit && rapid.Bool().Draw(t, "verify")
	scope := rapid.SampledFrom([]sp.Scope{sp.ScopePool, sp.ScopeConn}).Draw(t, "scope")
	w.shape = func(c *sp.Call) {
		c.Op, c.Scope, c.InTx, c.Text = sp.OpExec, scope, w.inTx, write
		if w.db.unit {
			c.Op = sp.OpTransaction
		}
	}
	return w
}

// drawTime draws a time up to 1.5 s, or 0 in every other case.
func drawTime(t *rapid.T, name string) time.Duration {
	if rapid.Bool().Draw(t, "no "+name) {
		return 0
	}
	return rapid.SampledFrom([]time.Duration{1, 15, 60, 200, 600, 1500}).Draw(t, name) * time.Millisecond
}

// context returns the caller's context; it ends by the drawn time.
func (w *world) context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	if w.leaves > 0 {
		timer, leave := time.AfterFunc(w.leaves, cancel), cancel
		cancel = func() { timer.Stop(); leave() }
	}
	if w.deadline > 0 {
		outer := cancel
		var inner context.CancelFunc
		ctx, inner = context.WithTimeout(ctx, w.deadline)
		cancel = func() { inner(); outer() }
	}
	if w.marked {
		ctx = sp.WithIdempotent(ctx)
	}
	if w.verify {
		ctx = sp.WithVerifyCommit(ctx, func(context.Context) (bool, error) { return w.db.last.effect, nil })
	}
	return ctx, cancel
}

// check returns what is wrong with the outcome, or "".
func (w *world) check(ctx context.Context, start time.Time, err error, left int) string {
	n := len(w.db.starts)
	switch {
	case n > w.attempts, n == 0:
		return "performed too often, or not at all"
	case w.inTx && n > 1:
		return "repeated inside a transaction"
	case left < 0 || left > w.capacity:
		return "tokens out of range"
	case !w.marked && w.db.effects > 1:
		return "a write took effect twice"
	case err == nil && w.db.effects == 0:
		return "success without effect"
	case errors.Is(err, driver.ErrBadConn) && !unchanged(err, w.db.last.err):
		return "matches driver.ErrBadConn without being the last attempt's error as it is"
	}
	for i, f := range w.db.seen[:n-1] {
		if !f.harmless && !w.marked && !w.verify {
			return "repeated what may have taken effect"
		}
		if slices.Contains([]error{nil, errRejected, context.Canceled, errUnknown, unique}, f.err) {
			return "repeated what must not be"
		}
		if begin := w.db.starts[i+1].Sub(start); w.deadline > 0 && begin >= w.deadline || w.leaves > 0 && begin > w.leaves {
			return "an attempt started after the caller was gone"
		}
	}
	if d, ok := ctx.Deadline(); ok && time.Now().After(d) && time.Since(w.db.starts[n-1]) > w.db.took {
		return "waited past the deadline"
	}
	return w.checkError(err)
}

// checkError holds that no error of the database gets lost.
func (w *world) checkError(err error) string {
	if err == nil {
		return ""
	}
	last := w.db.last.err
	var e *retry.Error
	switch {
	case w.db.last.effect && !w.marked && !doubted(err):
		return "an effect is not in doubt though it is there"
	case len(w.db.starts) > 1 && !errors.As(err, &e) && !errors.Is(err, last) && !w.verify:
		return "the last error is lost"
	case e == nil:
		return ""
	}
	if got := e.Unwrap()[0]; !strings.Contains(got.Error(), e.Err.Error()) || !strings.HasPrefix(err.Error(), e.Err.Error()) {
		return "the database's error is not the first"
	}
	return ""
}

// doubted reports whether err can be known for one that leaves the outcome
// open, as fault.Of sees it without more knowledge.
func doubted(err error) bool {
	return fault.Of(err, fault.Situation{}).Outcome == fault.OutcomeUnknown
}

func TestTheRulesHoldWhateverHappens(t *testing.T) {
	t.Parallel()
	for range 20 { // a check is a hundred drawn worlds, of which few are eventful
		rapid.Check(t, func(rt *rapid.T) { checkWorld(t, rt) })
	}
}

func checkWorld(t *testing.T, rt *rapid.T) {
	t.Helper()
	w := drawWorld(rt)
	budget := newBudget(t, retry.WithCapacity(w.capacity))
	r := newRetry(t, retry.WithAttempts(w.attempts), retry.WithBudget(budget))
	var err error
	var wrong string
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := w.context(t.Context())
		defer cancel()
		start := time.Now()
		_, err = run(ctx, r, &w.db, w.shape)
		wrong = w.check(ctx, start, err, budget.Remaining(nil))
	})
	if wrong != "" {
		rt.Fatalf("%s: returned %v after %+v", wrong, err, w.db.seen)
	}
}
