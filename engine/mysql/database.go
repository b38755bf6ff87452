package mysql

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/sqlbackend"
)

// database is a MySQL or MariaDB database.
type database struct {
	*sqlbackend.Pool
	connector *connector
	dialect   atomic.Pointer[backend.Dialect]

	mu    sync.Mutex
	known atomic.Bool // the server has told what it is
}

var _ backend.DB = (*database)(nil)

func newDatabase(c *connector, cfg backend.Config) *database {
	b := &database{connector: c}
	b.Pool = sqlbackend.New(sqlbackend.Config{
		Connector: c, Chain: cfg.Chain,
		Size: cfg.PoolSize, Overflow: cfg.MaxOverflow, Timeout: cfg.PoolTimeout, Recycle: cfg.PoolRecycle,
		PrePing: cfg.PrePing, Normalize: normalize, Streaming: streaming,
	})
	b.dialect.Store(dialect(c.target.System, ""))
	return b
}

// Dialect implements [backend.DB].
func (b *database) Dialect() *backend.Dialect { return b.dialect.Load() }

// Ping implements [backend.DB]. The first time it asks the server for its
// version, since MySQL and MariaDB have different capabilities.
func (b *database) Ping(ctx context.Context) error {
	if b.known.Load() {
		return b.Pool.Ping(ctx)
	}
	return b.ask(ctx)
}

// ready asks the server for its version, before its first use.
func (b *database) ready(ctx context.Context) error {
	if b.known.Load() {
		return nil
	}
	return b.ask(ctx)
}

func (b *database) ask(ctx context.Context) error {
	out, err := b.Pool.Execute(ctx, backend.BoundStatement{Text: "SELECT VERSION()", Rows: true, ReadOnly: true})
	if err != nil {
		return err
	}
	var version string
	if err := out.Rows.Scan(0, &version); err != nil {
		return fmt.Errorf("engine: read the server's version: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known.Load() {
		return nil
	}
	d := dialect(b.connector.target.System, version)
	b.dialect.Store(d)
	b.connector.found.Store(&d.System)
	b.known.Store(true)
	return nil
}

// Execute implements [backend.DB].
func (b *database) Execute(ctx context.Context, q backend.BoundStatement) (backend.Result, error) {
	if err := b.ready(ctx); err != nil {
		return backend.Result{}, err
	}
	return b.Pool.Execute(ctx, q)
}

// Query implements [backend.DB].
func (b *database) Query(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	return b.Pool.Query(ctx, q, window)
}

// Connect implements [backend.DB].
func (b *database) Connect(ctx context.Context) (backend.Conn, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	c, err := b.Pool.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// RunInTx implements [backend.DB].
func (b *database) RunInTx(ctx context.Context, opts backend.TxOptions, fn func(context.Context, backend.Conn) error) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	return b.Pool.RunInTx(ctx, opts, fn)
}

// Stats implements [backend.DB].
func (b *database) Stats() (s backend.PoolStats) {
	b.Pool.Stats(&s)
	return s
}
