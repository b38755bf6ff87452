package pgxdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

// Pool is a [pgxpool.Pool] whose operations pass through a chain. It is safe
// for concurrent use.
type Pool struct {
	executor
	config  *pgxpool.Config // without the hooks of this package
	idleMin int64           // as configured
}

// NewPool creates a pool for a connection string, as [pgxpool.New] does, and
// attaches chain to it. Opening a connection is a call of the chain too. A
// wrong connection string or option is an error that quotes nothing of the
// string. A string with an @ after the host, from a password that is not
// percent-encoded, can be read in several ways and is refused.
func NewPool(ctx context.Context, connString string, chain sp.Chain, opts ...Option) (*Pool, error) {
	name, err := dbname.Check(connString)
	if err != nil {
		return nil, fmt.Errorf("pgxdb: new pool: %w", err)
	}
	c, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, name.Refused("pgxdb: new pool", err)
	}
	return NewPoolWithConfig(ctx, c, chain, opts...)
}

// NewPoolWithConfig creates a pool as [pgxpool.NewWithConfig] does, of a
// configuration that [pgxpool.ParseConfig] made, and attaches chain to it.
// Hooks and tracers of the configuration work as they do in pgx; it is copied
// and may be reused. Opening a connection is a call of the chain too: a refusal
// keeps pgx from dialling, and pgx dials with the context that the chain passes
// on. The error of a connection that could not be opened is always pgx's,
// whatever the chain returns.
func NewPoolWithConfig(ctx context.Context, config *pgxpool.Config, chain sp.Chain, opts ...Option) (*Pool, error) {
	if config == nil {
		return nil, errors.New("pgxdb: new pool: the configuration is nil")
	}
	if config.ConnConfig == nil {
		return nil, errors.New("pgxdb: new pool: the configuration has no ConnConfig: make it with pgxpool.ParseConfig")
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	own := config.Copy()
	p := newPipeline(chain, c, own.ConnConfig)
	if !p.empty {
		p.connects = true
		p.interceptConnect(own, nil)
	}
	pool, err := pgxpool.NewWithConfig(ctx, own)
	if err != nil {
		return nil, err
	}
	return newPool(p, pool, config.Copy()), nil
}

func newPool(p *pipeline, pool *pgxpool.Pool, config *pgxpool.Config) *Pool {
	p.traced = config.ConnConfig.Tracer != nil
	prepares := config.PrepareConn != nil || config.BeforeAcquire != nil //nolint:staticcheck // it is deprecated, and still called
	// Of connections that are not opened through the chain nobody tells that they are.
	p.shown = p.traced || !p.connects || prepares || config.ShouldPing != nil
	out := &Pool{executor: executor{pipeline: p, raw: pool, pool: pool}, config: config, idleMin: sp.UnknownCount}
	if config.MinIdleConns > 0 {
		out.idleMin = int64(config.MinIdleConns)
	}
	return out
}

// WrapPool attaches chain to an existing pool. Opening its connections is not a
// call of the chain; see [NewPoolWithConfig].
func WrapPool(pool *pgxpool.Pool, chain sp.Chain, opts ...Option) (*Pool, error) {
	if pool == nil {
		return nil, errors.New("pgxdb: wrap pool: the pool is nil")
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	config := pool.Config()
	return newPool(newPipeline(chain, c, config.ConnConfig), pool, config), nil
}

// Unwrap returns pgx's own pool. What you do with it bypasses the chain. Of a
// cluster it is the pool of the primary, or of the first server if there is no
// primary at this moment.
func (p *Pool) Unwrap() *pgxpool.Pool {
	if p.nodes != nil {
		return p.nodes.main()
	}
	return p.pool
}

// Target returns the database the pool belongs to, as far as it is known.
func (p *Pool) Target() sp.Target { return *p.target.Load() }

// Exec is [pgxpool.Pool.Exec] through the chain.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return p.exec(ctx, sql, args)
}

// Query is [pgxpool.Pool.Query] through the chain. It reads the first row
// before it returns; the call ends when the rows are closed.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.query(ctx, sql, args)
}

// QueryRow is [pgxpool.Pool.QueryRow] through the chain. It reads the row
// before it returns; the call ends with the row's Scan, which returns the
// error.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return p.queryRow(ctx, sql, args)
}

// SendBatch is [pgxpool.Pool.SendBatch] through the chain; see [Conn.SendBatch].
func (p *Pool) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return p.sendBatch(ctx, b)
}

// CopyFrom is [pgxpool.Pool.CopyFrom] through the chain; see [Conn.CopyFrom].
func (p *Pool) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return p.copyFrom(ctx, table, columns, src)
}

// Begin is [pgxpool.Pool.Begin] through the chain; see [Pool.BeginTx].
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) { return p.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx is [pgxpool.Pool.BeginTx] through the chain. The transaction's
// statements pass through it one by one and are never retried. For a
// transaction that is replayed as a whole use [Pool.RunInTx]. Unless the chain
// is empty the transaction is a [*Tx].
func (p *Pool) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	if p.empty {
		return p.pool.BeginTx(ctx, opts)
	}
	return p.begin(ctx, opts)
}

// Ping takes a connection and verifies that it works, as
// [pgxpool.Pool.Ping] does, through the chain.
func (p *Pool) Ping(ctx context.Context) error {
	if p.empty {
		return p.pool.Ping(ctx)
	}
	return p.ping(ctx)
}

// Stat is [pgxpool.Pool.Stat], of the pool that [Pool.Unwrap] returns.
func (p *Pool) Stat() *pgxpool.Stat { return p.Unwrap().Stat() }

// PoolStats returns the state of the pool for metrics; see
// [sp.PoolStats] and tracing.WatchPool. pgxpool does not report how many
// callers are waiting; a caller whose context ended while it waited counts as a
// timeout. Of a cluster it is the sum over all servers.
func (p *Pool) PoolStats() sp.PoolStats {
	out := sp.PoolStats{IdleMax: sp.UnknownCount, IdleMin: p.idleMin, Pending: sp.UnknownCount}
	for _, pool := range p.pools() {
		s := pool.Stat()
		out.Idle += int64(s.IdleConns())
		out.Used += int64(s.AcquiredConns())
		out.Max += int64(s.MaxConns())
		out.Timeouts += s.CanceledAcquireCount()
	}
	return out
}

// Config returns a copy of the pool's configuration; see [pgxpool.Pool.Config].
// It contains no hooks of this package, so that you can create another pool
// from it, with this package or with pgxpool. Of a cluster it is the first
// server's.
func (p *Pool) Config() *pgxpool.Config { return p.config.Copy() }

// Reset closes the connections of the pool, those in use when they are
// released; see [pgxpool.Pool.Reset].
func (p *Pool) Reset() {
	for _, pool := range p.pools() {
		pool.Reset()
	}
}

// Close closes the pool and waits until all connections were released; see
// [pgxpool.Pool.Close].
func (p *Pool) Close() {
	if p.nodes != nil {
		p.nodes.forget()
	}
	for _, pool := range p.pools() {
		pool.Close()
	}
}
