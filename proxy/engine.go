package proxy

import (
	"context"
	"errors"

	"github.com/sessionproxy/sessionproxy/engine"
)

// An AsyncEngine is an [engine.Engine] whose methods do not block: they return
// futures. It is made once, by [NewAsyncEngine], and is safe for concurrent
// use.
//
// Its operations do not wait for each other: each takes its own connection from
// the pool. The operations of one connection run in the order of the calls; see
// [AsyncConnection].
//
// An unawaited operation of the engine runs too; only the chain then sees its
// error.
type AsyncEngine struct {
	engine *engine.Engine
	config engineConfig
	places chan struct{} // as many as operations may be under way
}

var _ AsyncExecutor = (*AsyncEngine)(nil)

// NewAsyncEngine returns the async form of eng. You may use both at the same
// time; they share the pool and the chain. An option with a bad value is an
// error that names it.
func NewAsyncEngine(eng *engine.Engine, opts ...EngineOption) (*AsyncEngine, error) {
	if eng == nil {
		return nil, errNoEngine
	}
	cfg, err := newEngineConfig(opts)
	if err != nil {
		return nil, err
	}
	return &AsyncEngine{engine: eng, config: cfg, places: make(chan struct{}, cfg.operations)}, nil
}

// Sync returns the blocking engine.
func (e *AsyncEngine) Sync() *engine.Engine { return e.engine }

// Dialect describes the database.
func (e *AsyncEngine) Dialect() *engine.Dialect { return e.engine.Dialect() }

// Ping makes sure that the database can be reached; see [engine.Engine.Ping].
func (e *AsyncEngine) Ping(ctx context.Context) Completion {
	return complete(launch(ctx, e, nothing(e.engine.Ping)))
}

// Connect takes a connection from the pool; it has to be closed. See
// [engine.Engine.Connect].
//
// A connection that no Await has returned when ctx ends goes back to the pool,
// so that giving up a wait does not leak it.
func (e *AsyncEngine) Connect(ctx context.Context, opts ...engine.TxOption) Future[*AsyncConnection] {
	return claim(ctx, e, func(ctx context.Context) (*AsyncConnection, error) {
		c, err := e.engine.Connect(ctx, opts...)
		if err != nil {
			return nil, err
		}
		return e.connection(c), nil
	}, func(ctx context.Context, c *AsyncConnection) { _ = c.conn.Close(ctx) })
}

// Begin takes a connection from the pool and begins a transaction on it, which
// has to be ended; see [engine.Engine.Begin]. A transaction that no Await has
// returned when ctx ends is rolled back.
func (e *AsyncEngine) Begin(ctx context.Context, opts ...engine.TxOption) Future[*AsyncTransaction] {
	return claim(ctx, e, func(ctx context.Context) (*AsyncTransaction, error) {
		tx, err := e.engine.Begin(ctx, opts...)
		if err != nil {
			return nil, err
		}
		return e.connection(tx.Conn()).transaction(tx), nil
	}, func(ctx context.Context, t *AsyncTransaction) { _ = t.tx.Close(ctx) })
}

// RunInTx runs fn, a blocking function, in a transaction; see
// [engine.Engine.RunInTx]. fn runs on a separate goroutine, several times if a
// retry in the chain replays it. It must not use a connection or transaction
// that is in use elsewhere.
func (e *AsyncEngine) RunInTx(
	ctx context.Context, fn func(ctx context.Context, tx *engine.Tx) error, opts ...engine.TxOption,
) Completion {
	return complete(launch(ctx, e, nothing(func(ctx context.Context) error {
		return e.engine.RunInTx(context.WithValue(ctx, inUnit{e}, true), fn, opts...)
	})))
}

// Dispose closes idle connections now, and those in use when they are returned;
// see [engine.Engine.Dispose].
func (e *AsyncEngine) Dispose(ctx context.Context) Completion {
	return complete(Spawn(context.WithoutCancel(ctx), nothing(func(context.Context) error { return e.engine.Dispose() })))
}

// errNoEngine is the answer to an async engine without a blocking one.
var errNoEngine = errors.New("proxy: make an async engine: the engine is nil")
