package pgxdb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
)

// pipeline is what the operations of one pool or connection share.
type pipeline struct {
	handler      sp.Handler
	screen       func(context.Context, sp.Op) bool // see [sp.Chain.Screen]; nil: none
	empty        bool
	target       atomic.Pointer[sp.Target]
	guessed      bool // the target is not the caller's word
	connects     bool // connections are opened through the chain
	traced       bool // pgx has a tracer, which is to know that the chain sees the calls
	acquireCalls bool
	calls        sync.Pool
}

func newPipeline(chain sp.Chain, c config, target *sp.Target) *pipeline {
	p := &pipeline{
		handler:      chain.Then(sp.Perform),
		screen:       chain.Screen(),
		empty:        chain.Len() == 0,
		guessed:      c.target == nil,
		acquireCalls: c.acquireCalls,
	}
	if c.target != nil {
		target = c.target
	}
	p.target.Store(target)
	p.calls.New = func() any {
		s := &stmtCall{pipeline: p}
		s.onDone = s.abandon
		s.Reset(s)
		return s
	}
	return p
}

// bare reports whether an operation made with ctx needs no call: the chain is
// empty, or no link of it wants to know and it is no step of a call above.
func (p *pipeline) bare(ctx context.Context, op sp.Op) bool {
	return p.empty || p.screen != nil && p.screen(ctx, op) && sp.CallFrom(ctx) == nil
}

// errNotPerformed is what becomes of a call that an interceptor let succeed
// without performing it: there is no result to return.
func errNotPerformed(op sp.Op) error {
	return fmt.Errorf("pgxdb: %s: an interceptor returned without an error and without calling the next handler", op)
}
