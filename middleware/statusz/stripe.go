package statusz

import (
	"context"
	"runtime"
	"sync"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/memory"
)

// stripe is a part of the calls in flight and of what is counted. A call is in
// the stripe that its address falls into, so calls of different goroutines
// seldom meet at one lock, and a call can be found by its address.
type stripe struct {
	mu     sync.Mutex
	active *flight // doubly linked
	spare  *flight // singly linked
	spares int
	traffic
	events map[eventKey]*tally

	_ [64]byte // neighbours do not share a cache line
}

// maxSpares is how many entries a stripe keeps for calls to come.
const maxSpares = 64

// newStripes makes a few stripes for each processor, within bounds.
func newStripes() []stripe {
	n := 8
	for n < 2*runtime.GOMAXPROCS(0) && n < 128 {
		n *= 2
	}
	stripes := make([]stripe, n)
	for i := range stripes {
		stripes[i].events = map[eventKey]*tally{}
	}
	return stripes
}

// stripeOf returns the number of the stripe that a call's address falls into.
func (p *Page) stripeOf(call *sp.Call) int {
	a := uint64(memory.Address(memory.Pointer(call)))
	return int(a*0x9e3779b97f4a7c15>>40) & (len(p.stripes) - 1)
}

// enter notes that a call has begun.
func (p *Page) enter(ctx context.Context, d *database, call *sp.Call) *flight {
	now := p.clock()
	n := p.stripeOf(call)
	s := &p.stripes[n]
	s.mu.Lock()
	f := s.spare
	if f != nil {
		s.spare, f.next = f.next, nil
		s.spares--
	} else {
		f = &flight{page: p, stripe: s, shard: n % shards}
		f.finish, f.listen = f.onFinish, f.onEvent
	}
	f.describe(d, call, now)
	f.ctx = ctx
	f.stage = p.beginning()
	if f.next = s.active; f.next != nil {
		f.next.prev = f
	}
	s.active = f
	s.mu.Unlock()
	return f
}

// leave takes f out of the calls in flight. The caller holds mu.
func (s *stripe) leave(f *flight) {
	if f.next != nil {
		f.next.prev = f.prev
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		s.active = f.next
	}
	f.next, f.prev = nil, nil
	f.clear()
	if s.spares < maxSpares {
		f.next, s.spare = s.spare, f
		s.spares++
	}
}

// advance moves a call to a stage, and reports whether the page has the call. The
// context is the one that it has come there with.
func (p *Page) advance(ctx context.Context, call *sp.Call, to stage) bool {
	s := &p.stripes[p.stripeOf(call)]
	now := p.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := s.active; f != nil; f = f.next {
		if f.call == call {
			f.move(to, now)
			f.ctx = ctx
			return true
		}
	}
	return false
}

// eachStripe calls look with every stripe, locked, one after the other.
func (p *Page) eachStripe(look func(*stripe)) {
	for i := range p.stripes {
		s := &p.stripes[i]
		s.mu.Lock()
		look(s)
		s.mu.Unlock()
	}
}

// traffic counts statements by the time they ended. Stripe's mu guards it.
type traffic struct {
	slots [ticks]tick
	total tick // since the page was made; its number is not used
}

// tick is what was counted in one interval.
type tick struct {
	number   int64 // of the interval, from the page's making
	calls    int64
	failed   int64
	canceled int64
}

const (
	// ticks is how many intervals are kept.
	ticks = 60
	// interval is how long each is.
	interval = 5 * time.Second
)

// count counts a statement that ended.
func (t *traffic) count(now time.Duration, o outcome) {
	number := int64(now / interval)
	slot := &t.slots[number%ticks]
	if slot.number != number {
		*slot = tick{number: number}
	}
	slot.add(o)
	t.total.add(o)
}

func (t *tick) add(o outcome) {
	t.calls++
	switch o {
	case failed:
		t.failed++
	case canceled:
		t.canceled++
	}
}
