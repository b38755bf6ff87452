package sqlbackend

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
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/gate"
)

// Connector opens connections to a database that it names.
type Connector interface {
	driver.Connector
	// Target names the database, as package sqldb asks for it.
	Target() sp.Target
}

// Config says how a pool is opened.
type Config struct {
	// Connector opens connections, and says which database they lead to.
	Connector Connector
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
	// Streaming returns the context for the query of a stream, on a connection
	// that is used after it or on one of its own; nil if it needs no other than
	// ctx.
	Streaming func(ctx context.Context, held bool) context.Context
	// Normalize makes of a driver's value, of a column of a type, what
	// [backend.Block] promises; nil if the driver gives nothing else.
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
	handle *handle // nil until used
}

// New returns a pool. It does not connect.
func New(cfg Config) *Pool {
	p := &Pool{cfg: cfg, gate: gate.New(cfg.Size, cfg.Overflow, cfg.Timeout), outside: cfg.Chain.Len() == 0}
	if p.outside {
		p.cfg.Chain = sp.NewChain(disabled{})
	} else {
		p.cfg.Chain = cfg.Chain.Append(p.gate)
	}
	return p
}

// disabled stands for an empty chain, which would be bypassed: statements pass
// it by, and a transaction that the database has undone is still noticed.
type disabled struct{}

// Wrap implements [sp.Interceptor].
func (disabled) Wrap(next sp.Handler) sp.Handler { return next }

// Enabled implements [sp.Enabler].
func (disabled) Enabled(context.Context, sp.Op) bool { return false }

// handle is a database and how many there are who use it. It is closed when it
// was disposed of and the last of them is done. Its fields are guarded by the
// pool's lock.
type handle struct {
	*sqldb.DB
	users    int
	disposed bool
}

// use returns the handle, which it opens if need be, for a user who calls done.
func (p *Pool) use() (*handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		db, err := p.open()
		if err != nil {
			return nil, err
		}
		p.handle = &handle{DB: db}
	}
	p.handle.users++
	return p.handle, nil
}

func (p *Pool) open() (*sqldb.DB, error) {
	var opts []sqldb.Option
	if p.cfg.PrePing {
		opts = append(opts, sqldb.WithIdlePing(time.Nanosecond))
	}
	db := sqldb.OpenDB(p.cfg.Connector, p.cfg.Chain, opts...)
	db.SetMaxOpenConns(p.cfg.Size + p.cfg.Overflow)
	db.SetMaxIdleConns(p.cfg.Size)
	db.SetConnMaxLifetime(p.cfg.Recycle)
	return sqldb.Wrap(db)
}

// done ends a use. The user has given its connection back.
func (p *Pool) done(h *handle) {
	p.mu.Lock()
	h.users--
	last := h.disposed && h.users == 0
	p.mu.Unlock()
	if last {
		_ = h.Close() // it has no connections
	}
}

// Dispose closes idle connections now, and those in use when they are given
// back.
func (p *Pool) Dispose() error {
	p.mu.Lock()
	h := p.handle
	p.handle = nil
	last := false
	if h != nil {
		h.disposed, last = true, h.users == 0
	}
	p.mu.Unlock()
	switch {
	case last:
		return h.Close()
	case h != nil:
		h.SetMaxIdleConns(-1)
	}
	return nil
}

// Target names the database as the calls of the chain do.
func (p *Pool) Target() sp.Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle != nil {
		return p.handle.Target()
	}
	return p.cfg.Connector.Target()
}

// enter waits at the gate and returns the handle. For a statement or unit of
// the pool the gate may be an interceptor, and is passed by here; not for a
// connection that is held.
func (p *Pool) enter(ctx context.Context, held bool) (*handle, error) {
	if held || p.outside {
		if _, err := p.gate.Enter(ctx); err != nil {
			return nil, err
		}
	}
	h, err := p.use()
	if err != nil && (held || p.outside) {
		p.gate.Leave()
	}
	return h, err
}

// leave ends what enter began.
func (p *Pool) leave(h *handle, held bool) {
	if held || p.outside {
		p.gate.Leave()
	}
	p.done(h)
}

// Ping makes sure that the database can be reached.
func (p *Pool) Ping(ctx context.Context) error {
	h, err := p.enter(ctx, false)
	if err != nil {
		return err
	}
	defer p.leave(h, false)
	return h.PingContext(ctx)
}

// Run runs a statement on any connection and buffers its answer.
func (p *Pool) Execute(ctx context.Context, q backend.BoundStatement) (backend.Result, error) {
	h, err := p.enter(ctx, false)
	if err != nil {
		return backend.Result{}, err
	}
	defer p.leave(h, false)
	return p.run(ctx, h, q)
}

// Open runs a statement on any connection and leaves its answer open.
func (p *Pool) Query(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	h, err := p.enter(ctx, false)
	if err != nil {
		return nil, err
	}
	rows, err := h.QueryContext(p.streaming(ctx, window, false), q.Text, q.Args...) //nolint:rowserrcheck,sqlclosecheck // the cursor's to check and close
	if err != nil {
		p.leave(h, false)
		return nil, err
	}
	return &cursor{rows: rows, pool: p, handle: h}, nil
}

// streaming returns the context for the query of a stream.
func (p *Pool) streaming(ctx context.Context, window int, held bool) context.Context {
	if window < 1 || p.cfg.Streaming == nil {
		return ctx
	}
	return p.cfg.Streaming(ctx, held)
}

// Connect takes a connection from the pool.
func (p *Pool) Connect(ctx context.Context) (*Conn, error) {
	h, err := p.enter(ctx, true)
	if err != nil {
		return nil, err
	}
	conn, err := h.DB.DB.Conn(ctx)
	if err != nil {
		p.leave(h, true)
		return nil, err
	}
	return &Conn{pool: p, handle: h, conn: conn}, nil
}

// RunInTx runs fn in a transaction.
func (p *Pool) RunInTx(ctx context.Context, opts backend.TxOptions, fn func(context.Context, backend.Conn) error) error {
	h, err := p.enter(ctx, false)
	if err != nil {
		return err
	}
	defer p.leave(h, false)
	var o *sql.TxOptions
	if opts != (backend.TxOptions{}) {
		o = &sql.TxOptions{Isolation: opts.Isolation, ReadOnly: opts.ReadOnly}
	}
	return h.RunInTx(ctx, o, func(ctx context.Context, tx *sql.Tx) error {
		return fn(ctx, &Conn{pool: p, tx: tx})
	})
}

// Stats adds what is known of the pool to s.
func (p *Pool) Stats(s *backend.PoolStats) {
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
