package backend

import (
	"context"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// An Opener opens databases for engine.Open. A dialect registers one with
// [Register].
type Opener interface {
	// Open returns the database that u names. It may wait for nothing but
	// reads of files: connections are made when they are needed. Errors name
	// the part of u or of cfg that is wrong, and hold no password.
	Open(u *URL, cfg Config) (DB, error)
}

// Config is what an [Opener] is told besides the URL. engine.Open has checked it.
type Config struct {
	// Chain is what every operation passes through.
	Chain sp.Chain
	// PoolSize is how many idle connections are kept, at least 1.
	PoolSize int
	// MaxOverflow is how many connections more there may be, at least 0.
	MaxOverflow int
	// PoolTimeout is how long to wait for a connection of a pool in full use;
	// 0 is as long as the context allows.
	PoolTimeout time.Duration
	// PoolRecycle is the age at which a connection is replaced; 0 is never.
	PoolRecycle time.Duration
	// PrePing says to verify a connection whenever it is taken from the pool.
	PrePing bool
}

// A DB is an opened database as a dialect gives it to an engine. It is
// safe for concurrent use. Its methods pass what they do through the chain of
// [Config], each statement as one call.
type DB interface {
	// Dialect describes the database. What only the server can tell is known
	// after Ping.
	Dialect() *Dialect
	// Ping makes sure that the database can be reached, and learns what has to
	// be known of it.
	Ping(ctx context.Context) error
	// Execute runs a statement in a transaction of its own, on any connection, and
	// buffers its answer.
	Execute(ctx context.Context, q BoundStatement) (Result, error)
	// Query runs a statement in a transaction of its own and leaves its answer
	// open, with a connection that is released by the cursor's Close. A window
	// above 0 asks for an answer that can be stopped early, of which that many
	// rows at most are on the way at once.
	Query(ctx context.Context, q BoundStatement, window int) (Cursor, error)
	// Connect takes a connection from the pool. A pool in full use for longer
	// than the pool timeout is a [PoolTimeoutError].
	Connect(ctx context.Context) (Conn, error)
	// RunInTx runs fn in a transaction, as one call of the chain, which may
	// perform it again as a whole. fn must not end the transaction. A unit
	// inside of another never gets here.
	RunInTx(ctx context.Context, opts TxOptions, fn func(ctx context.Context, conn Conn) error) error
	// Dispose closes idle connections now, and those in use when they are
	// released. The DB may be used again, with new connections.
	Dispose() error
	// Stats describes the pool.
	Stats() PoolStats
	// Target names the database as the calls of the chain do. What only the
	// server can tell is known after Ping.
	Target() sp.Target
}

// PoolStats describes a pool at one moment.
type PoolStats struct {
	// Max is how many connections there may be at once.
	Max int
	// Open is how many there are.
	Open int
	// InUse is how many of them are in use.
	InUse int
	// Idle is how many of them are not.
	Idle int
	// Waiting is how many callers wait for one.
	Waiting int
	// Waits is how many callers have had to wait so far.
	Waits int64
	// WaitTime is how long they have waited together.
	WaitTime time.Duration
	// Timeouts is how many of them have waited in vain.
	Timeouts int64
}
