package mysql

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/internal/stdsql"
)

// backend is a database on a server.
type backend struct {
	*stdsql.Pool
	target  sp.Target
	dialect atomic.Pointer[engine.Dialect]

	mu    sync.Mutex
	known atomic.Bool // the server has told what it is
}

var _ engine.Backend = (*backend)(nil)

func newBackend(c *connector, target sp.Target, cfg engine.Config) *backend {
	b := &backend{target: target}
	b.Pool = stdsql.New(stdsql.Config{
		Connector: c, Target: target, Chain: cfg.Chain,
		Size: cfg.PoolSize, Overflow: cfg.MaxOverflow, Timeout: cfg.PoolTimeout, Recycle: cfg.PoolRecycle,
		PrePing: cfg.PrePing, Normalize: normalize, Streaming: streaming,
	})
	b.dialect.Store(dialect(target.System, ""))
	return b
}

// Dialect implements [engine.Backend].
func (b *backend) Dialect() *engine.Dialect { return b.dialect.Load() }

// Ping implements [engine.Backend]. The first time it asks the server for its
// version, since MySQL and MariaDB differ in what they can do.
func (b *backend) Ping(ctx context.Context) error {
	if b.known.Load() {
		return b.Pool.Ping(ctx)
	}
	return b.ask(ctx)
}

// ready asks the server what it is, before its first use.
func (b *backend) ready(ctx context.Context) error {
	if b.known.Load() {
		return nil
	}
	return b.ask(ctx)
}

func (b *backend) ask(ctx context.Context) error {
	out, err := b.Pool.Run(ctx, engine.Bound{Text: "SELECT VERSION()", Rows: true, ReadOnly: true})
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
	d := dialect(b.target.System, version)
	b.dialect.Store(d)
	b.known.Store(true)
	if d.System == b.target.System {
		return nil
	}
	b.target.System = d.System
	return b.Retarget(b.target)
}

// Run implements [engine.Backend].
func (b *backend) Run(ctx context.Context, q engine.Bound) (engine.Outcome, error) {
	if err := b.ready(ctx); err != nil {
		return engine.Outcome{}, err
	}
	return b.Pool.Run(ctx, q)
}

// Open implements [engine.Backend].
func (b *backend) Open(ctx context.Context, q engine.Bound, window int) (engine.Cursor, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	return b.Pool.Open(ctx, q, window)
}

// Connect implements [engine.Backend].
func (b *backend) Connect(ctx context.Context) (engine.BackendConn, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	c, err := b.Pool.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// RunInTx implements [engine.Backend].
func (b *backend) RunInTx(ctx context.Context, opts engine.TxOptions, fn func(context.Context, engine.BackendConn) error) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	return b.Pool.RunInTx(ctx, opts, fn)
}

// Stats implements [engine.Backend].
func (b *backend) Stats() (s engine.PoolStats) {
	b.Pool.Stats(&s)
	return s
}
