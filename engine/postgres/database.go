package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/gate"
)

// database is a PostgreSQL database. It opens its pool on first use, and again
// after Dispose.
type database struct {
	config *pgxpool.Config
	chain  sp.Chain
	gate   *gate.Gate
	// outside says that the gate is around calls, because an empty chain is
	// bypassed and has no place for it.
	outside bool
	size    int32 // how many idle connections are kept
	dialect atomic.Pointer[backend.Dialect]
	known   atomic.Bool // the server has told what it is
	folds   folds

	mu     sync.Mutex
	pool   *pool     // nil until used
	target sp.Target // of the last pool; at first, of the configuration
}

var _ backend.DB = (*database)(nil)

func newDatabase(c *pgxpool.Config, cfg backend.Config) *database {
	b := &database{
		config: c, chain: cfg.Chain, outside: cfg.Chain.Len() == 0,
		gate: gate.New(cfg.PoolSize, cfg.MaxOverflow, cfg.PoolTimeout), size: int32(cfg.PoolSize),
	}
	if !b.outside {
		b.chain = cfg.Chain.Append(b.gate)
	}
	c.MaxConns = int32(cfg.PoolSize + cfg.MaxOverflow)
	c.MinConns = 0
	if cfg.PoolRecycle > 0 {
		c.MaxConnLifetime = cfg.PoolRecycle
	}
	if cfg.PrePing {
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	}
	b.dialect.Store(dialect(sp.PostgreSQL, ""))
	b.target = sp.Target{
		System: sp.PostgreSQL, Host: c.ConnConfig.Host, Port: int(c.ConnConfig.Port),
		Namespace: c.ConnConfig.Database, User: c.ConnConfig.User,
	}
	return b
}

// Dialect implements [backend.DB].
func (b *database) Dialect() *backend.Dialect { return b.dialect.Load() }

// Ping implements [backend.DB].
func (b *database) Ping(ctx context.Context) error {
	p, err := b.enter(ctx, false)
	if err != nil {
		return err
	}
	defer b.leave(p, false)
	return p.Ping(ctx)
}

// Execute implements [backend.DB].
func (b *database) Execute(ctx context.Context, q backend.BoundStatement) (backend.Result, error) {
	p, err := b.enter(ctx, false)
	if err != nil {
		return backend.Result{}, err
	}
	defer b.leave(p, false)
	return run(ctx, p, q)
}

// Query implements [backend.DB].
func (b *database) Query(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	if window > 0 && q.Cursor {
		return b.openStream(ctx, q, window)
	}
	p, err := b.enter(ctx, false)
	if err != nil {
		return nil, err
	}
	c, err := open(ctx, p, q)
	if err != nil {
		b.leave(p, false)
		return nil, err
	}
	c.database, c.pool = b, p
	return c, nil
}

// openStream opens a stream in a transaction of its own.
func (b *database) openStream(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.Begin(ctx, backend.TxOptions{}); err != nil {
		return nil, errors.Join(err, c.Close(false))
	}
	s, err := c.declare(ctx, q, window)
	if err != nil {
		return nil, errors.Join(err, c.Close(false))
	}
	s.own = c
	return s, nil
}

// Connect implements [backend.DB].
func (b *database) Connect(ctx context.Context) (backend.Conn, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (b *database) connect(ctx context.Context) (*conn, error) {
	p, err := b.enter(ctx, true)
	if err != nil {
		return nil, err
	}
	taken, err := p.Acquire(ctx)
	if err != nil {
		b.leave(p, true)
		return nil, explain(err)
	}
	return &conn{database: b, pool: p, conn: taken}, nil
}

// RunInTx implements [backend.DB].
func (b *database) RunInTx(ctx context.Context, opts backend.TxOptions, fn func(context.Context, backend.Conn) error) error {
	o, err := txOptions(opts)
	if err != nil {
		return err
	}
	p, err := b.enter(ctx, false)
	if err != nil {
		return err
	}
	defer b.leave(p, false)
	err = p.RunInTx(ctx, o, func(ctx context.Context, tx pgx.Tx) error {
		return fn(ctx, &conn{database: b, tx: tx})
	})
	return rolledBack(err)
}

// rolledBack makes the error of a COMMIT that the server answered with ROLLBACK
// match [backend.ErrTxAborted].
func rolledBack(err error) error {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return fmt.Errorf("%w: %w", backend.ErrTxAborted, err)
	}
	return err
}

// txOptions converts a transaction's properties to pgx's.
func txOptions(opts backend.TxOptions) (o pgx.TxOptions, err error) {
	switch opts.Isolation {
	case sql.LevelDefault:
	case sql.LevelReadUncommitted:
		o.IsoLevel = pgx.ReadUncommitted
	case sql.LevelReadCommitted:
		o.IsoLevel = pgx.ReadCommitted
	case sql.LevelRepeatableRead, sql.LevelSnapshot:
		o.IsoLevel = pgx.RepeatableRead // which is a snapshot
	case sql.LevelSerializable:
		o.IsoLevel = pgx.Serializable
	default:
		return o, fmt.Errorf("engine: begin: postgresql has no isolation level %s: %w", opts.Isolation, errors.ErrUnsupported)
	}
	if opts.ReadOnly {
		o.AccessMode = pgx.ReadOnly
	}
	return o, nil
}

// Stats implements [backend.DB].
func (b *database) Stats() (s backend.PoolStats) {
	b.gate.Stats(&s)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool == nil {
		return s
	}
	// With pgx a connection that is being closed still counts as in use.
	s.InUse, s.Idle = b.gate.InUse(), int(b.pool.Stat().IdleConns())
	s.Open = s.InUse + s.Idle
	return s
}

// Target implements [backend.DB].
func (b *database) Target() sp.Target {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool != nil {
		b.target = b.pool.Target()
	}
	return b.target
}
