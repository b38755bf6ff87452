package pgxdb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

// pipeline is what the operations of one pool or connection share.
type pipeline struct {
	handler      sp.Handler
	enabled      func(context.Context, sp.Op) bool // see [sp.Chain.Enabled]; nil: always
	empty        bool
	target       atomic.Pointer[sp.Target]
	name         *dbname.Name // where the target is from; nil if it is the caller's word
	met          atomic.Bool  // a connection has told what the server is
	connects     bool         // connections are opened through the chain
	names        atomic.Bool  // statements were prepared by name
	traced       bool         // pgx has a tracer, which is to know that the chain sees the calls
	shown        bool         // the user's code gets the context with which a connection is taken
	acquireCalls bool
	calls        sync.Pool
	slots        slots  // that units keep for their verifiers
	nodes        *nodes // the servers of a cluster; nil: there is one

	mu      sync.Mutex
	reached []*sp.Target // by connections, of several hosts
}

func newPipeline(chain sp.Chain, c config, config *pgx.ConnConfig) *pipeline {
	p := &pipeline{acquireCalls: c.acquireCalls}
	if c.router != nil {
		p.handler = chain.Route(c.router, attach.Perform)
	} else {
		p.handler, p.enabled, p.empty = chain.Then(attach.Perform), chain.Enabled(), chain.Len() == 0
	}
	target := c.target
	if target == nil {
		name := dbname.OfConfig(config)
		t := name.Target.Apart()
		p.name, target = &name, &t
	}
	p.target.Store(target)
	p.calls.New = func() any {
		s := &stmtCall{pipeline: p}
		s.onDone = s.abandon
		attach.Reset(&s.Call, s)
		return s
	}
	return p
}

// bare reports whether an operation made with ctx needs no call: the chain is
// empty, or every link of it is off and it is no step of a call above.
func (p *pipeline) bare(ctx context.Context, op sp.Op) bool {
	return p.empty || p.enabled != nil && !p.enabled(ctx, op) && sp.CallFrom(ctx) == nil
}

// errNotPerformed is what becomes of a call that an interceptor let succeed
// without performing it: there is no result to return.
func errNotPerformed(op sp.Op) error {
	return fmt.Errorf("pgxdb: %s: an interceptor returned without an error and without calling the next handler", op)
}
