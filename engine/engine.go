package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// An Engine is a database with a pool of connections to it. It is made once
// and is safe for concurrent use.
type Engine struct {
	backend backend.DB
	url     *backend.URL
	chain   sp.Chain
	handler sp.Handler
	target  atomic.Pointer[sp.Target] // the last that Target returned
}

var _ Executor = (*Engine)(nil)

// Open opens the database that url names; see [backend.ParseURL]. The dialect
// of its scheme must be imported. Open connects once, to report mistakes in the
// URL and faults of the database, and to learn which server it is; ctx bounds
// that. See [WithLazyConnect].
//
// A mistake in the URL or in an option is an error that names it. No error
// holds a password.
func Open(ctx context.Context, url string, opts ...Option) (*Engine, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	u, err := backend.ParseURL(url)
	if err != nil {
		return nil, err
	}
	opener, err := backend.OpenerFor(u.Scheme)
	if err != nil {
		return nil, err
	}
	cfg.Chain = cfg.withEcho()
	db, err := opener.Open(u, cfg.Config)
	if err != nil {
		return nil, err
	}
	e := &Engine{backend: db, url: u, chain: cfg.Chain, handler: cfg.Chain.Then(attach.Perform)}
	if cfg.lazy {
		return e, nil
	}
	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(describe("open "+u.String(), err), db.Dispose())
	}
	return e, nil
}

// Handler returns the engine's chain around [attach.Perform], composed once, for
// calls that are not statements: the methods of a session. It is nil if the
// chain is empty.
func (e *Engine) Handler() sp.Handler {
	if e.chain.Len() == 0 {
		return nil
	}
	return e.handler
}

// Target names the database, for calls that are not statements. It returns a
// different target once the server has reported what it is; a returned target
// never changes.
func (e *Engine) Target() *sp.Target {
	last, now := e.target.Load(), e.backend.Target()
	if last != nil && *last == now {
		return last
	}
	next := new(sp.Target)
	*next = now
	e.target.Store(next)
	return next
}

// URL returns the database's URL. It prints without the password.
func (e *Engine) URL() *backend.URL { return e.url }

// Dialect describes the database.
func (e *Engine) Dialect() *Dialect { return e.backend.Dialect() }

// Stats describes the pool.
func (e *Engine) Stats() backend.PoolStats { return e.backend.Stats() }

// PoolStats describes the pool in OpenTelemetry's terms, for tracing.WatchPool.
func (e *Engine) PoolStats() sp.PoolStats {
	s := e.Stats()
	return sp.PoolStats{
		Idle: int64(s.Idle), Used: int64(s.InUse), Max: int64(s.Max), IdleMax: sp.UnknownCount, IdleMin: sp.UnknownCount,
		Pending: int64(s.Waiting), Timeouts: s.Timeouts,
	}
}

// Ping verifies that the database can be reached.
func (e *Engine) Ping(ctx context.Context) error { return describe("ping", e.backend.Ping(ctx)) }

// Dispose closes idle connections now, and those in use when they are given
// back. The engine can be used again, with new connections. A database in
// memory is lost.
func (e *Engine) Dispose() error {
	if err := e.backend.Dispose(); err != nil {
		return fmt.Errorf("engine: dispose: %w", err)
	}
	return nil
}

// Execute runs one statement in a transaction of its own and buffers its
// result. It is one call of the chain, and a retry may run on another
// connection.
func (e *Engine) Execute(ctx context.Context, st Statement) (*Result, error) {
	q, err := bind(e.Dialect(), st)
	if err != nil {
		return nil, err
	}
	out, err := e.backend.Execute(ctx, q)
	if err != nil {
		return nil, describe("execute", err)
	}
	return newResult(e.Dialect(), out), nil
}

// ExecuteMany runs a statement once for each set of arguments, all in one
// transaction; see [Executor].
func (e *Engine) ExecuteMany(ctx context.Context, st *TextStatement, sets ...[]any) (res *Result, err error) {
	err = e.RunInTx(ctx, func(ctx context.Context, tx *Tx) error {
		res, err = tx.ExecuteMany(ctx, st, sets...)
		return err
	})
	return res, err
}

// ExecuteBatch runs statements in order, all in one transaction; see
// [Executor]. If one fails, nothing is kept.
func (e *Engine) ExecuteBatch(ctx context.Context, sts ...Statement) (res []*Result, err error) {
	err = e.RunInTx(ctx, func(ctx context.Context, tx *Tx) error {
		res, err = tx.ExecuteBatch(ctx, sts...)
		return err
	})
	return res, err
}

// Query runs one statement in a transaction of its own and leaves its result
// open, with a connection that the cursor's Close gives back.
func (e *Engine) Query(ctx context.Context, st Statement) (Cursor, error) {
	return e.open(ctx, st, 0)
}

// Stream runs one statement in a transaction of its own and holds one window of
// its rows in memory. The stream holds a connection until it is closed or read
// to its end.
func (e *Engine) Stream(ctx context.Context, st Statement, opts ...StreamOption) (*Stream, error) {
	o, err := newStreamConfig(opts)
	if err != nil {
		return nil, err
	}
	c, err := e.open(ctx, st, o.window)
	if err != nil {
		return nil, err
	}
	return newStream(e.Dialect(), c, o.window), nil
}

func (e *Engine) open(ctx context.Context, st Statement, window int) (Cursor, error) {
	q, err := bind(e.Dialect(), st)
	if err != nil {
		return nil, err
	}
	c, err := e.backend.Query(ctx, q, window)
	if err != nil {
		return nil, describe("execute", err)
	}
	return &cursor{Cursor: c}, nil
}

// Connect takes a connection from the pool; you must close it. The options
// apply to the transactions that begin on it automatically. If the pool stays
// in full use for longer than the pool timeout, the error is a
// [PoolTimeoutError].
func (e *Engine) Connect(ctx context.Context, opts ...TxOption) (*Conn, error) {
	o, err := newTxConfig(opts)
	if err != nil {
		return nil, err
	}
	bc, err := e.backend.Connect(ctx)
	if err != nil {
		return nil, describe("connect", err)
	}
	return &Conn{engine: e, conn: bc, txConfig: o}, nil
}

// Begin takes a connection from the pool and begins a transaction on it. The
// connection goes back to the pool when the transaction ends:
//
//	tx, err := eng.Begin(ctx)
//	…
//	defer tx.Close(ctx)
//	…
//	return tx.Commit(ctx)
//
// Such a transaction is never retried: see [Engine.RunInTx].
func (e *Engine) Begin(ctx context.Context, opts ...TxOption) (*Tx, error) {
	c, err := e.Connect(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := c.Begin(ctx, opts...)
	if err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	tx.closesConn = true
	return tx, nil
}
