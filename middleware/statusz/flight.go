package statusz

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
)

// flight is a call in flight. Entries are used again; the call's finish hook,
// which runs exactly once, gives them back.
type flight struct {
	page   *Page
	stripe *stripe
	shard  int
	finish func(error)    // the method onFinish, bound once
	listen func(sp.Event) // the method onEvent, likewise

	// The rest is written with the stripe's lock. What describe writes is read
	// without it by the call's own goroutine.
	next, prev *flight
	call       *sp.Call // an address, to find it by
	parent     *sp.Call // likewise
	database   *database
	op         sp.Op
	text       string
	operation  string // the caller's name for it
	inTx       bool
	inUnit     bool
	began      time.Duration
	account
	ctx      context.Context // the innermost that is known, for the trace; until the call has ended
	stage    stage
	since    time.Duration // when the stage was reached
	pause    time.Duration // how long it lasts, of a pause
	recorded bool          // its time was taken, though it is still open
}

// account is what happened to a call on its way.
type account struct {
	attempts int           // that have failed, and were repeated
	paused   time.Duration // before attempts
	queued   time.Duration // in queues of this library
}

// describe notes what a call is. Every field is set or was cleared.
func (f *flight) describe(d *database, call *sp.Call, now time.Duration) {
	f.call, f.parent, f.database, f.op, f.text = call, call.Parent, d, call.Op, call.Text
	f.operation, f.inTx, f.inUnit = call.Marks.Name, call.InTx, call.Unit() != nil
	f.began, f.since = now, now
}

// clear forgets the call.
func (f *flight) clear() {
	f.call, f.parent, f.database, f.text, f.operation = nil, nil, nil, "", ""
	f.account, f.ctx = account{}, nil
	f.stage, f.pause, f.recorded = stageRunning, 0, false
}

// move notes that the call has come to a stage.
func (f *flight) move(to stage, now time.Duration) { f.stage, f.since, f.pause = to, now, 0 }

// returned notes that the handlers further in are through.
func (f *flight) returned(err error) {
	if err != nil || !f.call.Open() {
		return // the finish hook comes next
	}
	now := f.page.clock()
	f.stripe.mu.Lock()
	f.move(opened(f.op), now)
	lasting := f.op.Lasting() && !f.recorded
	f.recorded = f.recorded || lasting
	if lasting && kindOf(f.op) == statement {
		f.stripe.count(now, succeeded)
	}
	f.stripe.mu.Unlock()
	if lasting {
		// The call lasts until the transaction ends, its BEGIN until now.
		f.record(now, result{})
	}
}

// onFinish is the finish hook.
func (f *flight) onFinish(err error) {
	now := f.page.clock()
	r := judge(f.call, err)
	if !f.recorded {
		f.record(now, r)
	}
	s := f.stripe
	s.mu.Lock()
	if !f.recorded && kindOf(f.op) == statement {
		s.count(now, r.outcome)
	}
	s.leave(f)
	s.mu.Unlock()
}

// record notes how long the call took and what came of it.
func (f *flight) record(now time.Duration, r result) {
	took := now - f.began
	known := f.database.statement(f)
	series := f.database.seriesOf(known, f.op, now)
	series.record(f.shard, now, took, r.outcome)
	if r.outcome != failed && took < f.page.slowAfter {
		return
	}
	i := incident{
		incidentKey: incidentKey{database: f.database, name: known.name, text: known.text, operation: f.operation, failure: r.failure},
		count:       1, first: now, last: now, took: took, worst: took, account: f.account, nested: f.inTx || f.inUnit,
		trace: f.trace(),
	}
	if r.outcome == failed {
		f.page.failures.add(i)
	} else {
		f.page.slow.add(i)
	}
}

// trace returns the trace that the call is in. That of a span which an
// interceptor further in began is known from where the call has come to.
func (f *flight) trace() traceRef {
	f.stripe.mu.Lock()
	ctx := f.ctx
	f.stripe.mu.Unlock()
	at := trace.SpanContextFromContext(ctx)
	return traceRef{at.TraceID(), at.IsSampled()}
}

// onEvent listens to the interceptors further in.
func (f *flight) onEvent(e sp.Event) {
	if e.Kind == sp.EventPipelined {
		return // as many as there are statements, and nothing out of the ordinary
	}
	if e.Kind == sp.EventBreaker {
		f.page.changes.add(change{f.page.clock(), f.database, e.Detail})
		return
	}
	now := f.page.clock()
	key := keyOf(e)
	f.stripe.mu.Lock()
	defer f.stripe.mu.Unlock()
	switch e.Kind {
	case eventPerform:
		f.move(stageNamed(e.Detail), now)
		return
	case sp.EventRetry:
		f.attempts++
		f.paused += e.Delay
		f.move(stageBackoff, now)
		f.pause = e.Delay
	case sp.EventQueued:
		f.queued += e.Delay
	}
	f.stripe.tally(key, now, e.Delay)
}
