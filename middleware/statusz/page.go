package statusz

import (
	"context"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// Page is an interceptor that watches calls, and an http.Handler that shows
// what it sees. Create it with [New]. It is safe for concurrent use, and may be
// in several chains, once in each.
type Page struct {
	config
	began     time.Time
	stripes   []stripe // as many as a power of two
	databases databases
	failures  incidents
	slow      incidents
	changes   changes
	marked    atomic.Bool // some chain has an innermost mark
	html      shared
	json      shared
}

var (
	_ sp.Interceptor = (*Page)(nil)
	_ sp.Enabler     = (*Page)(nil)
	_ sp.Enabler     = innermost{}
)

// New returns a page, which serves nothing until it is mounted and shows
// nothing until it is in a chain. An option with a value out of its range is an
// error.
func New(opts ...Option) (*Page, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	p := &Page{config: c, began: time.Now(), stripes: newStripes()}
	p.databases = databases{page: p, series: map[seriesKey]*series{}, rest: map[*database]*series{}}
	p.databases.known.Store(&map[sp.Target]*database{})
	return p, nil
}

// clock returns the time since the page was made, which is how it keeps times.
func (p *Page) clock() time.Duration { return time.Since(p.began) }

// Enabled reports whether the page shows calls of op: all but those that do no
// I/O, and the closing of connections.
func (*Page) Enabled(_ context.Context, op sp.Op) bool { return kindOf(op) != ignored }

// Wrap returns a handler that watches the calls that pass through next.
func (p *Page) Wrap(next sp.Handler) sp.Handler {
	h := &handler{Page: p, next: next}
	return h.handle
}

// OnlyObserves declares that the page does not act on calls; see [sp.Observer].
func (*Page) OnlyObserves() {}

// Innermost returns an interceptor for the innermost place of a chain that has
// the page further out. With it, the page can distinguish a call held by an
// interceptor, in a queue or in a pause before an attempt, from one that was
// passed to the driver. It costs a short lock per attempt.
func (p *Page) Innermost() sp.Interceptor { return innermost{p} }

// innermost tells a page what comes to the end of the pipeline.
type innermost struct{ page *Page }

// Wrap returns a handler that notes calls before they go to next, the core.
func (i innermost) Wrap(next sp.Handler) sp.Handler {
	i.page.marked.Store(true)
	return func(ctx context.Context, call *sp.Call) error {
		if kindOf(call.Op) != ignored && !call.Step() {
			i.page.mark(ctx, call)
		}
		return next(ctx, call)
	}
}

// OnlyObserves declares what [sp.Observer] says.
func (innermost) OnlyObserves() {}

// Enabled reports what the page's method does.
func (i innermost) Enabled(ctx context.Context, op sp.Op) bool {
	return i.page.Enabled(ctx, op)
}

// beginning returns the stage of a call, or an attempt, that has begun.
func (p *Page) beginning() stage {
	if p.marked.Load() {
		return stagePipeline
	}
	return stageRunning
}

// mark notes that call has passed all interceptors. A fork of a call can't be
// found by its address; its events reach the call.
func (p *Page) mark(ctx context.Context, call *sp.Call) {
	if !p.advance(ctx, call, beyond(call)) && call.Observed() {
		call.Event(sp.Event{Kind: eventPerform, Detail: beyond(call).String()})
	}
}

// eventPerform is the event by which a fork tells that it was handed to the
// driver.
const eventPerform sp.EventKind = "statusz.perform"

// handler is a page around the next handler of one chain.
type handler struct {
	*Page
	next  sp.Handler
	seen  atomic.Pointer[sighting]
	moves atomic.Int32
}

// sighting is a target that was seen last, and its database.
type sighting struct {
	target   *sp.Target
	database *database
}

// maxMoves is how often a handler follows a change of target, which costs an
// allocation. A handle has one target, or two when it learns more about its
// server; one with more of them looks each up.
const maxMoves = 8

func (h *handler) handle(ctx context.Context, call *sp.Call) error {
	if kindOf(call.Op) == ignored {
		return h.next(ctx, call)
	}
	if call.Step() {
		return h.step(ctx, call)
	}
	f := h.enter(ctx, h.database(call.Target), call)
	call.OnEvent(f.listen) // first, so that it hears until its own hook has run
	call.OnFinish(f.finish)
	err := h.next(ctx, call)
	f.returned(err)
	return err
}

// step performs a step of a call that the page has already: what it is doing
// tells where the call above is.
func (h *handler) step(ctx context.Context, call *sp.Call) error {
	if call.Op == sp.OpConnect {
		h.advance(ctx, call.Parent, stageConnecting)
		defer h.advance(ctx, call.Parent, stageDriver)
		return h.next(ctx, call)
	}
	h.advance(ctx, call.Parent, stageExecuting)
	return h.next(ctx, call)
}

// database returns what is known of t's database.
func (h *handler) database(t *sp.Target) *database {
	if seen := h.seen.Load(); seen != nil && seen.target == t {
		return seen.database
	}
	d := h.databases.of(t)
	if h.moves.Load() < maxMoves {
		h.moves.Add(1)
		h.seen.Store(&sighting{t, d})
	}
	return d
}
