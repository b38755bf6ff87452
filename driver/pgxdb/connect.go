package pgxdb

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// outerConnect is the key under which the context of a BeforeConnect has the
// configuration it is called with, if another pool's stands around it: that pool
// was made of the configuration of pgx's own pool, which has the hook in it. The
// connection is opened through the chain of the outer one alone.
type outerConnect struct{}

// interceptConnect makes every connection that a pool opens a call of the
// chain. pgx opens it between two of its hooks, so the chain runs in a
// coroutine: up to the core before pgx dials, and on when pgx is through. node is the server,
// of a cluster, or nil.
func (p *pipeline) interceptConnect(config *pgxpool.Config, node *sp.Node) {
	before, after := config.BeforeConnect, config.AfterConnect
	config.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
		dialing(ctx)
		if before != nil {
			if err := before(context.WithValue(ctx, outerConnect{}, cc), cc); err != nil {
				return err
			}
		}
		if ctx.Value(outerConnect{}) == cc {
			return nil
		}
		return p.beginConnect(ctx, cc, node)
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		p.learn(conn)
		if node != nil {
			conn.PgConn().CustomData()[atNode] = node
		}
		if after != nil {
			return after(ctx, conn)
		}
		return nil
	}
}

// dialing notes with the calls that ctx belongs to that the user's hooks, tracer
// and dial function get it. They may keep it longer than the calls last.
func dialing(ctx context.Context) {
	for call := sp.CallFrom(ctx); call != nil; call = call.Parent {
		if s, ok := attach.PerformerOf(call).(*stmtCall); ok {
			s.dialed.Store(true)
		}
	}
}

// beginConnect runs the chain up to its core. It fails if the chain refuses.
func (p *pipeline) beginConnect(ctx context.Context, cc *pgx.ConnConfig, node *sp.Node) error {
	c := &connectCall{pipeline: p, user: cc.Tracer}
	attach.Reset(&c.Call, c)
	c.Op, c.Scope, c.Target = sp.OpConnect, sp.ScopePool, p.target.Load()
	attach.Bind(ctx, &c.Call)
	c.Marks.NoRetry = true // pgx dials once
	if node != nil {
		c.GoTo(node)
	}
	refusal := sp.ErrAborted
	next, _ := iter.Pull(func(yield func(context.Context) bool) {
		c.dial = func(ctx context.Context) { yield(ctx) }
		_, refusal = attach.Run(ctx, &c.Call, p.handler)
	})
	var dialCtx context.Context
	ok := false
	apart(func() { dialCtx, ok = next() })
	if !ok { // the chain came to its end without dialling
		if refusal == nil {
			refusal = errNotPerformed(c.Op)
		}
		return refusal
	}
	c.ctx, c.resume = dialCtx, func() { apart(func() { next() }) }
	cc.Tracer = c
	return nil
}

// apart performs f on a goroutine of its own: a chain that ends its goroutine
// must not end pgx's, which the pool would wait for until it is closed, and
// then for ever.
func apart(f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
	}()
	<-over
}

// connectCall is the opening of one connection. It stands in for the user's
// tracer while that is done, to learn when it begins and ends.
type connectCall struct {
	sp.Call
	pipeline *pipeline
	user     pgx.QueryTracer           // the user's own tracer, or nil
	dial     func(ctx context.Context) // suspends the chain while pgx dials
	ctx      context.Context           // the chain's, for pgx to dial with
	resume   func()                    // lets the chain go on
	dialed   bool
	err      error // how dialling ended
}

// Do lets pgx dial. Done again it has nothing to offer but the same outcome:
// pgx dials once.
func (c *connectCall) Do(ctx context.Context, _ *sp.Call) error {
	if !c.dialed {
		c.dialed = true
		c.dial(ctx)
	}
	if c.err != nil {
		c.Judge(ctx, c.err, fault.PhaseConnect, fault.ProgressUnsent)
	}
	return c.err
}

// TraceConnectStart gives pgx the chain's context, and takes itself out of
// the configuration: the connection gets the user's own tracer.
func (c *connectCall) TraceConnectStart(_ context.Context, data pgx.TraceConnectStartData) context.Context {
	data.ConnConfig.Tracer = c.user
	if t, ok := c.user.(pgx.ConnectTracer); ok {
		return t.TraceConnectStart(attach.Context(c.ctx, &c.Call), data)
	}
	return c.ctx
}

// TraceConnectEnd tells the chain how dialling ended.
func (c *connectCall) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if t, ok := c.user.(pgx.ConnectTracer); ok {
		t.TraceConnectEnd(ctx, data)
	}
	if c.err = data.Err; data.Conn != nil && c.err == nil && c.Node == nil {
		c.Target = c.pipeline.targetOf(data.Conn)
	}
	c.resume()
}

// TraceQueryStart is never called: a tracer has to have it.
func (c *connectCall) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd is never called: a tracer has to have it.
func (c *connectCall) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
