package pgxdb

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Tracer attaches interceptors that only observe (tracing, metrics, logs, slow
// queries, the live page, leak detection) to pgx's own pool or connection, for
// libraries that accept nothing else. It is a [pgx.QueryTracer] and every other
// tracer of pgx and pgxpool:
//
//	tracer, err := pgxdb.NewTracer(chain.Observers())
//	…
//	config.ConnConfig.Tracer = tracer
//	pool, err := pgxpool.NewWithConfig(ctx, config)
//
// Calls are those of a [Pool], except for what pgx does not report: a Ping is
// not a call, Query and Exec are distinguished by their SQL text, rows are
// counted as the server reports them, a statement that waits for a new
// connection is not the call above it, and units of work are unknown. A
// statement that a Pool sends is left to the pool's chain, so that you can use
// both on one pgx pool.
//
// A Tracer is safe for concurrent use and may serve several pools.
type Tracer struct {
	handler      sp.Handler
	enabled      func(context.Context, sp.Op) bool // see [sp.Chain.Enabled]; nil: always
	empty        bool
	acquireCalls bool
	target       *sp.Target // nil: that of the connection

	mu      sync.Mutex
	targets map[sp.Target]*sp.Target // one for connections that have the same
	calls   sync.Pool
}

var (
	_ pgx.QueryTracer       = (*Tracer)(nil)
	_ pgx.BatchTracer       = (*Tracer)(nil)
	_ pgx.CopyFromTracer    = (*Tracer)(nil)
	_ pgx.PrepareTracer     = (*Tracer)(nil)
	_ pgx.ConnectTracer     = (*Tracer)(nil)
	_ pgxpool.AcquireTracer = (*Tracer)(nil)
	_ pgxpool.ReleaseTracer = (*Tracer)(nil)
)

// NewTracer creates a tracer from a chain whose interceptors only observe. An
// interceptor that acts on calls, such as a retry or a limit, can't do so from
// a tracer: it is an error that names it. [sp.Chain.Observers] leaves such
// interceptors out. Of the options, [WithTarget] and [WithAcquireCalls] work as
// they do for a pool.
func NewTracer(chain sp.Chain, opts ...Option) (*Tracer, error) {
	if actors := chain.Actors(); len(actors) > 0 {
		names := make([]string, len(actors))
		for i, a := range actors {
			names[i] = fmt.Sprintf("%T", a)
		}
		return nil, fmt.Errorf("pgxdb: new tracer: a tracer can only observe, and these links of the chain act on calls: %s"+
			" (use chain.Observers() to leave them out, or sessionproxy.Observing for one of your own that does not)", strings.Join(names, ", "))
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	t := &Tracer{
		handler: chain.Then(attach.Perform), enabled: chain.Enabled(), empty: chain.Len() == 0,
		acquireCalls: c.acquireCalls, target: c.target, targets: make(map[sp.Target]*sp.Target),
	}
	t.calls.New = func() any { return new(tracedCall) }
	return t, nil
}

// bypassed reports whether a call needs no chain, or has that of a [Pool].
func (t *Tracer) bypassed(ctx context.Context, op sp.Op) bool {
	if t.empty || t.enabled != nil && !t.enabled(ctx, op) {
		return true
	}
	if upper := sp.CallFrom(ctx); upper != nil {
		switch attach.PerformerOf(upper).(type) {
		case *stmtCall, *connectCall:
			return true
		}
	}
	return false
}

// start begins a call on a connection. It returns nil if there is to be none.
func (t *Tracer) start(ctx context.Context, conn *pgx.Conn, op sp.Op, text string, args []any) *tracedCall {
	if t.bypassed(ctx, op) {
		return nil
	}
	on := t.connOf(conn)
	c := t.describe(ctx, op, on.target)
	c.on = on
	if conn.IsClosed() {
		c.progress = fault.ProgressUnsent
	}
	c.Text, c.Args, c.InTx = text, attach.PlainArgs(args), inTx(conn)
	return c
}

// describe makes a call.
func (t *Tracer) describe(ctx context.Context, op sp.Op, target *sp.Target) *tracedCall {
	c := t.calls.Get().(*tracedCall)
	attach.Reset(&c.Call, c)
	c.Op, c.Target = op, target
	attach.Bind(ctx, &c.Call)
	return c
}

// run passes the call through the chain up to where pgx performs it, and returns
// the context to perform it with.
func (t *Tracer) run(ctx context.Context, c *tracedCall) context.Context {
	if c == nil {
		return covered(ctx)
	}
	var open bool
	if suspends(c.Op) {
		open = c.suspend(ctx, t.handler)
	} else {
		open, _ = attach.Run(ctx, &c.Call, t.handler)
	}
	switch {
	case !open: // a link has refused, which it must not
		return covered(ctx)
	case c.resume == nil && attach.Loose(&c.Call):
		inside := c.ctx
		t.free(c)
		return covered(inside)
	}
	return &tracedContext{Context: c.ctx, call: c}
}

// end finishes a call that pgx has performed.
func (t *Tracer) end(c *tracedCall, err error) {
	if c.resume != nil {
		c.leave(err)
	} else {
		if err != nil {
			c.Judge(c.ctx, err, c.Op.Phase(), c.progress)
		}
		attach.Finish(&c.Call, err)
	}
	t.free(c)
}

func (t *Tracer) free(c *tracedCall) {
	c.traced = traced{}
	t.calls.Put(c)
}

// TraceQueryStart is the method of [pgx.QueryTracer].
func (t *Tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	op := operationOf(data.SQL, len(data.Args))
	text := data.SQL
	if op.Transactional() {
		text = ""
	}
	return t.run(ctx, t.start(ctx, conn, op, text, data.Args))
}

// TraceQueryEnd is the method of [pgx.QueryTracer].
func (t *Tracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	c := ended(ctx, sp.OpUnknown)
	if c == nil {
		t.closeTx(conn, data.Err)
		return
	}
	switch c.Op {
	case sp.OpQuery:
		c.RowsReturned, c.RowsAffected = data.CommandTag.RowsAffected(), data.CommandTag.RowsAffected()
	case sp.OpExec:
		c.RowsAffected = data.CommandTag.RowsAffected()
	case sp.OpBegin:
		if data.Err == nil {
			t.closed(&c.on.begun, nil) // should there be one: BEGIN is no error in a transaction
			c.opened()
			c.on.begun = c
			return
		}
	}
	over := data.Err
	switch {
	case c.Op != sp.OpCommit && c.Op != sp.OpRollback:
		over = nil // the connection is gone, and so is the transaction, as it has to be
	case over != nil:
		if c.Judge(c.ctx, over, c.Op.Phase(), c.progress).Moot {
			over = nil
		}
	}
	t.end(c, data.Err)
	t.closeTx(conn, over)
}

// closeTx finishes the call of a transaction that has ended.
func (t *Tracer) closeTx(conn *pgx.Conn, err error) {
	on, _ := conn.PgConn().CustomData()[tracedKey].(*tracedConn)
	if on == nil || on.begun == nil || !conn.IsClosed() && inTx(conn) {
		return
	}
	t.closed(&on.begun, err)
}

// closed finishes a call that was left open, if there is one.
func (t *Tracer) closed(open **tracedCall, err error) {
	c := *open
	if c == nil {
		return
	}
	*open = nil
	attach.Finish(&c.Call, err)
	t.free(c)
}

// TraceBatchStart is the method of [pgx.BatchTracer].
func (t *Tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if t.bypassed(ctx, sp.OpBatch) {
		return covered(ctx)
	}
	var args []any
	if data.Batch.Len() == 1 {
		args = data.Batch.QueuedQueries[0].Arguments
	}
	c := t.start(ctx, conn, sp.OpBatch, batchText(data.Batch), args)
	c.BatchSize = data.Batch.Len()
	return t.run(ctx, c)
}

// TraceBatchQuery is the method of [pgx.BatchTracer].
func (t *Tracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	c := callIn(ctx)
	if c == nil || c.Op != sp.OpBatch {
		return
	}
	c.statements++
	if data.Err != nil && c.failed == nil {
		c.failed = data.Err
		c.Event(sp.Event{Kind: sp.EventStatementFailed, Attempt: c.statements, Err: data.Err})
	}
	if data.CommandTag.Select() {
		c.RowsReturned += data.CommandTag.RowsAffected()
	}
}

// TraceBatchEnd is the method of [pgx.BatchTracer].
func (t *Tracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	if c := ended(ctx, sp.OpBatch); c != nil {
		err := c.failed
		if err == nil {
			err = data.Err
		}
		t.end(c, err)
	}
	t.closeTx(conn, nil)
}

// TraceCopyFromStart is the method of [pgx.CopyFromTracer].
func (t *Tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	if t.bypassed(ctx, sp.OpCopy) {
		return covered(ctx)
	}
	c := t.start(ctx, conn, sp.OpCopy, copyText(data.TableName, data.ColumnNames), nil)
	inside := t.run(ctx, c)
	if callIn(inside) == c {
		c.on.copying = inside
	}
	return inside
}

// TraceCopyFromEnd is the method of [pgx.CopyFromTracer].
func (t *Tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	if c := ended(ctx, sp.OpCopy); c != nil {
		c.on.copying = nil
		if data.Err == nil {
			c.RowsAffected = data.CommandTag.RowsAffected()
		}
		t.end(c, data.Err)
	}
}

// TracePrepareStart is the method of [pgx.PrepareTracer]. A statement that pgx
// prepares in order to run it is part of the statement's call.
func (t *Tracer) TracePrepareStart(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	if within(ctx) != nil {
		return &tracedContext{Context: ctx}
	}
	return t.run(ctx, t.start(ctx, conn, sp.OpPrepare, data.SQL, nil))
}

// TracePrepareEnd is the method of [pgx.PrepareTracer].
func (t *Tracer) TracePrepareEnd(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareEndData) {
	if c := ended(ctx, sp.OpPrepare); c != nil {
		t.end(c, data.Err)
	}
	if data.Err != nil {
		t.endCopy(conn, fmt.Errorf("statement description failed: %w", data.Err)) // pgx's words
	}
}

// endCopy finishes the call of a COPY whose table could not be described, which
// pgx says nothing more of.
func (t *Tracer) endCopy(conn *pgx.Conn, err error) {
	on, _ := conn.PgConn().CustomData()[tracedKey].(*tracedConn)
	if on == nil || on.copying == nil {
		return
	}
	c := ended(on.copying, sp.OpCopy)
	on.copying = nil
	if c != nil {
		t.end(c, err)
	}
}

// TraceConnectStart is the method of [pgx.ConnectTracer].
func (t *Tracer) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) context.Context {
	if t.bypassed(ctx, sp.OpConnect) {
		return covered(ctx)
	}
	c := t.describe(ctx, sp.OpConnect, t.intern(data.ConnConfig, nil))
	c.Scope = sp.ScopePool
	return t.run(ctx, c)
}

// TraceConnectEnd is the method of [pgx.ConnectTracer].
func (t *Tracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	c := ended(ctx, sp.OpConnect)
	if c == nil {
		return
	}
	if data.Err == nil && data.Conn != nil {
		c.Target = t.connOf(data.Conn).target // which of several hosts it reached
	}
	t.end(c, data.Err)
}

// TraceAcquireStart is the method of [pgxpool.AcquireTracer].
func (t *Tracer) TraceAcquireStart(ctx context.Context, pool *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if !t.acquireCalls || t.bypassed(ctx, sp.OpAcquire) {
		return ctx
	}
	c := t.describe(ctx, sp.OpAcquire, t.intern(pool.Config().ConnConfig, nil))
	c.Scope = sp.ScopePool
	return t.run(ctx, c)
}

// TraceAcquireEnd is the method of [pgxpool.AcquireTracer].
func (t *Tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	c := ended(ctx, sp.OpAcquire)
	if c == nil {
		return
	}
	if data.Err != nil {
		t.end(c, data.Err)
		return
	}
	on := t.connOf(data.Conn)
	c.Target = on.target
	c.opened()
	on.taken = c
}

// TraceRelease is the method of [pgxpool.ReleaseTracer].
func (t *Tracer) TraceRelease(_ *pgxpool.Pool, data pgxpool.TraceReleaseData) {
	on, _ := data.Conn.PgConn().CustomData()[tracedKey].(*tracedConn)
	if on == nil {
		return
	}
	t.endCopy(data.Conn, sp.ErrAborted)
	t.closed(&on.begun, nil)
	t.closed(&on.taken, nil)
}
