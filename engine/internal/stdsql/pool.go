package stdsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/internal/gate"
)

// Config says how a pool is opened.
type Config struct {
	// Connector opens connections.
	Connector driver.Connector
	// Target says which database it is.
	Target sp.Target
	// Chain is what every operation passes through.
	Chain sp.Chain
	// Size is how many idle connections are kept.
	Size int
	// Overflow is how many connections more there may be.
	Overflow int
	// Timeout is how long to wait for a connection; 0 is as long as the
	// context allows.
	Timeout time.Duration
	// Recycle is the age at which a connection is replaced; 0 is never.
	Recycle time.Duration
	// PrePing says to verify a connection whenever it is taken from the pool.
	PrePing bool
	// Streaming returns the context for the query of a stream, in a transaction
	// or not; nil if it needs none of its own.
	Streaming func(ctx context.Context, inTx bool) context.Context
	// Normalize makes of a driver's value, of a column of a type, what
	// [engine.Block] promises; nil if the driver gives nothing else.
	Normalize func(columnType string, value any) any
}

// Pool is a pool of connections. It opens its *sql.DB when it is first used,
// and again after Dispose. It is safe for concurrent use.
type Pool struct {
	cfg  Config
	gate *gate.Gate
	// outside says that the gate stands around calls, because an empty chain is
	// bypassed and has no place for it.
	outside bool

	mu     sync.Mutex
	handle *sqldb.DB // nil until used
}

// New returns a pool. It does not connect.
func New(cfg Config) *Pool {
	p := &Pool{cfg: cfg, gate: gate.New(cfg.Size, cfg.Overflow, cfg.Timeout), outside: cfg.Chain.Len() == 0}
	if !p.outside {
		p.cfg.Chain = cfg.Chain.Append(p.gate)
	}
	return p
}

// db returns the database's handle, which it opens if need be.
func (p *Pool) db() (*sqldb.DB, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle != nil {
		return p.handle, nil
	}
	opts := []sqldb.Option{sqldb.WithTarget(p.cfg.Target)}
	if p.cfg.PrePing {
		opts = append(opts, sqldb.WithIdlePing(time.Nanosecond))
	}
	db := sqldb.OpenDB(p.cfg.Connector, p.cfg.Chain, opts...)
	db.SetMaxOpenConns(p.cfg.Size + p.cfg.Overflow)
	db.SetMaxIdleConns(p.cfg.Size)
	db.SetConnMaxLifetime(p.cfg.Recycle)
	h, err := sqldb.Wrap(db)
	p.handle = h
	return h, err
}

// Retarget says that the database is another than was thought. Connections
// are opened anew, as after Dispose.
func (p *Pool) Retarget(t sp.Target) error {
	p.mu.Lock()
	p.cfg.Target = t
	p.mu.Unlock()
	return p.Dispose()
}

// disposed reports whether Dispose has closed a handle that gave an error: then
// nothing was sent, and the new one will do.
func (p *Pool) disposed(h *sqldb.DB, err error) bool {
	if err == nil {
		return false
	}
	p.mu.Lock()
	replaced := p.handle != h
	p.mu.Unlock()
	return replaced && isClosed(err)
}

// isClosed reports whether err is database/sql's answer to the use of a
// database that was closed, which has no name.
func isClosed(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "sql: database is closed" {
			return true
		}
	}
	return false
}

// with calls fn with the database's handle, again if it was disposed of
// meanwhile.
func (p *Pool) with(fn func(h *sqldb.DB) error) error {
	for {
		h, err := p.db()
		if err != nil {
			return err
		}
		if err = fn(h); !p.disposed(h, err) {
			return err
		}
	}
}

// enter waits at the gate, if that stands around calls. leave ends it.
func (p *Pool) enter(ctx context.Context) error {
	if !p.outside {
		return nil
	}
	_, err := p.gate.Enter(ctx)
	return err
}

func (p *Pool) leave() {
	if p.outside {
		p.gate.Leave()
	}
}

// Ping makes sure that the database can be reached.
func (p *Pool) Ping(ctx context.Context) error {
	return p.with(func(h *sqldb.DB) error { return h.PingContext(ctx) })
}

// Run runs a statement on any connection and buffers its answer.
func (p *Pool) Run(ctx context.Context, q engine.Bound) (out engine.Outcome, err error) {
	if err := p.enter(ctx); err != nil {
		return out, err
	}
	defer p.leave()
	err = p.with(func(h *sqldb.DB) error {
		out, err = p.run(ctx, h, q)
		return err
	})
	return out, err
}

// Open runs a statement on any connection and leaves its answer open.
func (p *Pool) Open(ctx context.Context, q engine.Bound, window int) (engine.Cursor, error) {
	ctx = p.streaming(ctx, window, false)
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	var rows *sql.Rows
	err := p.with(func(h *sqldb.DB) (err error) {
		rows, err = h.QueryContext(ctx, q.Text, q.Args...) //nolint:rowserrcheck,sqlclosecheck // the cursor's to check and close
		return err
	})
	if err != nil {
		p.leave()
		return nil, err
	}
	return &cursor{rows: rows, pool: p, permit: true}, nil
}

// streaming returns the context for the query of a stream.
func (p *Pool) streaming(ctx context.Context, window int, inTx bool) context.Context {
	if window < 1 || p.cfg.Streaming == nil {
		return ctx
	}
	return p.cfg.Streaming(ctx, inTx)
}

// Connect takes a connection from the pool.
func (p *Pool) Connect(ctx context.Context) (*Conn, error) {
	if _, err := p.gate.Enter(ctx); err != nil {
		return nil, err
	}
	var conn *sql.Conn
	err := p.with(func(h *sqldb.DB) (err error) {
		conn, err = h.DB.Conn(ctx)
		return err
	})
	if err != nil {
		p.gate.Leave()
		return nil, err
	}
	return &Conn{pool: p, conn: conn}, nil
}

// RunInTx runs fn in a transaction.
func (p *Pool) RunInTx(ctx context.Context, opts engine.TxOptions, fn func(context.Context, engine.BackendConn) error) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	defer p.leave()
	var o *sql.TxOptions
	if opts != (engine.TxOptions{}) {
		o = &sql.TxOptions{Isolation: opts.Isolation, ReadOnly: opts.ReadOnly}
	}
	return p.with(func(h *sqldb.DB) error {
		return h.RunInTx(ctx, o, func(ctx context.Context, tx *sql.Tx) error {
			return fn(ctx, &Conn{pool: p, tx: tx})
		})
	})
}

// Dispose closes idle connections now, and those in use when they are given
// back.
func (p *Pool) Dispose() error {
	p.mu.Lock()
	h := p.handle
	p.handle = nil
	p.mu.Unlock()
	if h == nil {
		return nil
	}
	return h.Close()
}

// Stats adds what is known of the pool to s.
func (p *Pool) Stats(s *engine.PoolStats) {
	p.gate.Stats(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return
	}
	db := p.handle.Stats()
	s.Open += db.OpenConnections
	s.InUse += db.InUse
	s.Idle += db.Idle
}

// discard makes database/sql close a connection instead of keeping it.
func discard(c *sql.Conn) error {
	err := c.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return fmt.Errorf("discard the connection: %w", err)
}
