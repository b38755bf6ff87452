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
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/internal/gate"
)

// backend is a database on a server. It opens its pool when it is first used,
// and again after Dispose.
type backend struct {
	config *pgxpool.Config
	chain  sp.Chain
	gate   *gate.Gate
	// outside says that the gate stands around calls, because an empty chain is
	// bypassed and has no place for it.
	outside bool
	size    int32 // how many idle connections are kept
	dialect atomic.Pointer[engine.Dialect]
	known   atomic.Bool // the server has told what it is

	mu   sync.Mutex
	pool *pgxdb.Pool // nil until used
}

var _ engine.Backend = (*backend)(nil)

func newBackend(c *pgxpool.Config, cfg engine.Config) *backend {
	b := &backend{
		config: c, chain: cfg.Chain, outside: cfg.Chain.Len() == 0,
		gate: gate.New(cfg.PoolSize, cfg.MaxOverflow, cfg.PoolTimeout), size: int32(cfg.PoolSize), //nolint:gosec // bounded
	}
	if !b.outside {
		b.chain = cfg.Chain.Append(b.gate)
	}
	c.MaxConns = int32(cfg.PoolSize + cfg.MaxOverflow) //nolint:gosec // both are bounded
	c.MinConns = 0
	if cfg.PoolRecycle > 0 {
		c.MaxConnLifetime = cfg.PoolRecycle
	}
	if cfg.PrePing {
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	}
	b.dialect.Store(dialect(sp.PostgreSQL, ""))
	return b
}

// db returns the pool, which it opens if need be.
func (b *backend) db() (*pgxdb.Pool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool != nil {
		return b.pool, nil
	}
	pool, err := pgxdb.NewPoolWithConfig(context.Background(), b.config, b.chain)
	if err != nil {
		return nil, err
	}
	b.pool = pool
	return pool, nil
}

// with calls fn with the pool, again if it was disposed of meanwhile: then
// nothing was sent, and the new one will do.
func (b *backend) with(ctx context.Context, fn func(p *pgxdb.Pool) error) error {
	for {
		p, err := b.ready(ctx)
		if err != nil {
			return err
		}
		if err = fn(p); err == nil || !b.disposed(p, err) {
			return err
		}
	}
}

func (b *backend) disposed(p *pgxdb.Pool, err error) bool {
	b.mu.Lock()
	replaced := b.pool != p
	b.mu.Unlock()
	return replaced && isClosed(err)
}

// isClosed reports whether err is the answer of a closed pool, whose error
// pgxpool does not export.
func isClosed(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "closed pool" {
			return true
		}
	}
	return false
}

// trim closes idle connections beyond the pool's size, after a burst. pgx's own
// hook for that makes a goroutine of every release.
func (b *backend) trim() {
	if !b.gate.Burst() {
		return
	}
	b.mu.Lock()
	p := b.pool
	b.mu.Unlock()
	if p == nil {
		return
	}
	over := p.Stat().TotalConns() - b.size
	if over <= 0 {
		b.gate.Settle()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	for _, c := range p.Unwrap().AcquireAllIdle(ctx) {
		if over > 0 {
			over--
			_ = c.Conn().Close(ctx) // it is gone either way
		}
		c.Release()
	}
}

// enter waits at the gate, if that stands around calls. leave ends it.
func (b *backend) enter(ctx context.Context) error {
	if !b.outside {
		return nil
	}
	_, err := b.gate.Enter(ctx)
	return err
}

func (b *backend) leave() {
	if b.outside {
		b.gate.Leave()
	}
	b.trim()
}

// Dialect implements [engine.Backend].
func (b *backend) Dialect() *engine.Dialect { return b.dialect.Load() }

// ready returns the pool of a server that is known.
func (b *backend) ready(ctx context.Context) (*pgxdb.Pool, error) {
	p, err := b.db()
	if err != nil || b.known.Load() {
		return p, err
	}
	return p, b.ask(ctx, p)
}

// Ping implements [engine.Backend].
func (b *backend) Ping(ctx context.Context) error {
	return b.with(ctx, func(p *pgxdb.Pool) error { return p.Ping(ctx) })
}

// ask takes a connection, whose handshake tells what the server is.
func (b *backend) ask(ctx context.Context, p *pgxdb.Pool) error {
	if _, err := b.gate.Enter(ctx); err != nil {
		return err
	}
	defer b.gate.Leave()
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	version := c.Unwrap().PgConn().ParameterStatus("server_version")
	b.dialect.Store(dialect(p.Target().System, version))
	b.known.Store(true)
	return nil
}

// Run implements [engine.Backend].
func (b *backend) Run(ctx context.Context, q engine.Bound) (out engine.Outcome, err error) {
	if err := b.enter(ctx); err != nil {
		return out, err
	}
	defer b.leave()
	err = b.with(ctx, func(p *pgxdb.Pool) error {
		out, err = run(ctx, p, q)
		return err
	})
	return out, err
}

// Open implements [engine.Backend].
func (b *backend) Open(ctx context.Context, q engine.Bound, window int) (engine.Cursor, error) {
	if window > 0 && q.Cursor {
		return b.openStream(ctx, q, window)
	}
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	var rows pgx.Rows
	err := b.with(ctx, func(p *pgxdb.Pool) (err error) {
		rows, err = p.Query(ctx, q.Text, q.Args...) //nolint:sqlclosecheck // the cursor's to close
		return err
	})
	if err != nil {
		b.leave()
		return nil, err
	}
	c, err := newCursor(rows)
	if err != nil {
		b.leave()
		return nil, err
	}
	c.leave = b.leave
	return c, nil
}

// openStream opens a stream in a transaction of its own.
func (b *backend) openStream(ctx context.Context, q engine.Bound, window int) (engine.Cursor, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.Begin(ctx, engine.TxOptions{}); err != nil {
		return nil, errors.Join(err, c.Close(false))
	}
	s, err := c.declare(ctx, q, window)
	if err != nil {
		return nil, errors.Join(err, c.Close(false))
	}
	s.own = c
	return s, nil
}

// Connect implements [engine.Backend].
func (b *backend) Connect(ctx context.Context) (engine.BackendConn, error) {
	c, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (b *backend) connect(ctx context.Context) (*conn, error) {
	if _, err := b.ready(ctx); err != nil { // which needs a permit itself
		return nil, err
	}
	if _, err := b.gate.Enter(ctx); err != nil {
		return nil, err
	}
	var taken *pgxdb.PoolConn
	err := b.with(ctx, func(p *pgxdb.Pool) (err error) {
		taken, err = p.Acquire(ctx)
		return err
	})
	if err != nil {
		b.gate.Leave()
		return nil, err
	}
	return &conn{backend: b, conn: taken}, nil
}

// RunInTx implements [engine.Backend].
func (b *backend) RunInTx(ctx context.Context, opts engine.TxOptions, fn func(context.Context, engine.BackendConn) error) error {
	o, err := txOptions(opts)
	if err != nil {
		return err
	}
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	return b.with(ctx, func(p *pgxdb.Pool) error {
		return p.RunInTx(ctx, o, func(ctx context.Context, tx pgx.Tx) error {
			return fn(ctx, &conn{backend: b, tx: tx})
		})
	})
}

// txOptions writes a transaction's properties in pgx's way.
func txOptions(opts engine.TxOptions) (o pgx.TxOptions, err error) {
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

// Dispose implements [engine.Backend].
func (b *backend) Dispose() error {
	b.mu.Lock()
	p := b.pool
	b.pool = nil
	b.mu.Unlock()
	if p == nil {
		return nil
	}
	p.Reset()
	if p.Stat().AcquiredConns() == 0 {
		p.Close()
		return nil
	}
	go p.Close() // waits for the connections in use
	return nil
}

// Stats implements [engine.Backend].
func (b *backend) Stats() (s engine.PoolStats) {
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
