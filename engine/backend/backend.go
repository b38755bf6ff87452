package backend

import (
	"context"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// An Opener opens databases for engine.Open. A dialect registers one with
// [Register].
type Opener interface {
	// Open returns the database that u names. It does not connect and may wait
	// only for files to be read. Errors name the part of u or of cfg that is
	// wrong, and contain no password.
	Open(u *URL, cfg Config) (DB, error)
}

// Config holds what an [Opener] receives besides the URL. engine.Open has
// validated it.
type Config struct {
	// Chain is the chain that every operation passes through.
	Chain sp.Chain
	// PoolSize is the number of idle connections kept, at least 1.
	PoolSize int
	// MaxOverflow is the number of connections allowed beyond PoolSize, at
	// least 0.
	MaxOverflow int
	// PoolTimeout is how long to wait for a connection when all are in use; 0
	// waits as long as the context allows.
	PoolTimeout time.Duration
	// PoolRecycle is the age at which a connection is replaced; 0 never
	// replaces one.
	PoolRecycle time.Duration
	// PrePing says that a connection is verified whenever it is taken from the
	// pool.
	PrePing bool
}

// A DB is an opened database as a dialect provides it to an engine. It is safe
// for concurrent use. Its methods pass their work through the chain of
// [Config], each statement as one call.
type DB interface {
	// Dialect describes the database. Properties that only the server can
	// report are known after Ping.
	Dialect() *Dialect
	// Ping verifies that the database can be reached, and learns the properties
	// that only the server can report.
	Ping(ctx context.Context) error
	// Execute runs a statement in a transaction of its own, on any connection,
	// and buffers its result.
	Execute(ctx context.Context, q BoundStatement) (Result, error)
	// Query runs a statement in a transaction of its own and leaves its result
	// open, with a connection that is released by the cursor's Close. A window
	// above 0 asks for a result that can be stopped early, with at most that
	// many rows in transit at once.
	Query(ctx context.Context, q BoundStatement, window int) (Cursor, error)
	// Connect takes a connection from the pool. If the pool stays in full use
	// for longer than the pool timeout, the error is a [PoolTimeoutError].
	Connect(ctx context.Context) (Conn, error)
	// RunInTx runs fn in a transaction, as one call of the chain, which may
	// replay it as a whole. fn must not end the transaction. The engine handles
	// units nested in another one itself.
	RunInTx(ctx context.Context, opts TxOptions, fn func(ctx context.Context, conn Conn) error) error
	// Dispose closes idle connections now, and those in use when they are
	// released. The DB may be used again, with new connections.
	Dispose() error
	// Stats describes the pool.
	Stats() PoolStats
	// Target names the database as the chain's calls do. Properties that only
	// the server can report are known after Ping.
	Target() sp.Target
}

// PoolStats describes a pool at one moment.
type PoolStats struct {
	// Max is the number of connections allowed at once.
	Max int
	// Open is the number of open connections.
	Open int
	// InUse is the number of connections in use.
	InUse int
	// Idle is the number of idle connections.
	Idle int
	// Waiting is the number of callers that wait for a connection.
	Waiting int
	// Waits is the number of callers that had to wait so far.
	Waits int64
	// WaitTime is how long they waited in total.
	WaitTime time.Duration
	// Timeouts is the number of them that gave up.
	Timeouts int64
}
