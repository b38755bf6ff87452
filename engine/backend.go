package engine

import (
	"context"
	"database/sql"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// An Opener opens databases for [Open]. A dialect registers one with
// [Register].
type Opener interface {
	// Open returns the database that u names. It may wait for nothing but
	// reads of files: connections are made when they are needed. Errors name
	// the part of u or of cfg that is wrong, and hold no password.
	Open(u *URL, cfg Config) (Backend, error)
}

// Config is what an [Opener] is told besides the URL. [Open] has checked it.
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

// TxOptions are the properties of a transaction.
type TxOptions struct {
	// Isolation is the isolation level; [sql.LevelDefault] is the database's own.
	Isolation sql.IsolationLevel
	// ReadOnly says that the transaction changes nothing. A database refuses a
	// write in it.
	ReadOnly bool
}

// Bound is a statement ready to be sent: in the database's own syntax, with
// its arguments in order.
type Bound struct {
	// Text is the SQL text.
	Text string
	// Args are the arguments of its placeholders.
	Args []any
	// Rows says that the statement returns rows, as far as its text tells.
	Rows bool
	// ReadOnly says that the statement changes nothing, as far as its text
	// tells: false in doubt.
	ReadOnly bool
	// Cursor says that a cursor can be declared for the statement, as far as
	// its text tells: false in doubt.
	Cursor bool
	// Inserts says that the statement is an INSERT or REPLACE, which may
	// generate a key.
	Inserts bool
	// Data says that the statement reads or changes rows and does nothing else,
	// so that it is understood the same way before and after its like.
	Data bool
	// EndsTx says that the text commits or rolls back the transaction it runs
	// in: false in doubt.
	EndsTx bool
}

// A Backend is an opened database as a dialect gives it to an [Engine]. It is
// safe for concurrent use. Its methods pass what they do through the chain of
// [Config], each statement as one call.
type Backend interface {
	// Dialect describes the database. What only the server can tell is known
	// after Ping.
	Dialect() *Dialect
	// Ping makes sure that the database can be reached, and learns what has to
	// be known of it.
	Ping(ctx context.Context) error
	// Run runs a statement in a transaction of its own, on any connection, and
	// buffers its answer.
	Run(ctx context.Context, q Bound) (Outcome, error)
	// Open runs a statement in a transaction of its own and leaves its answer
	// open, with a connection that is released by the cursor's Close. A window
	// above 0 asks for an answer that can be stopped early, of which that many
	// rows at most are on the way at once.
	Open(ctx context.Context, q Bound, window int) (Cursor, error)
	// Connect takes a connection from the pool. A pool in full use for longer
	// than the pool timeout is a [PoolTimeoutError].
	Connect(ctx context.Context) (BackendConn, error)
	// RunInTx runs fn in a transaction, as one call of the chain, which may
	// perform it again as a whole. fn must not end the transaction. A unit
	// inside of another never gets here.
	RunInTx(ctx context.Context, opts TxOptions, fn func(ctx context.Context, conn BackendConn) error) error
	// Dispose closes idle connections now, and those in use when they are
	// released. The Backend may be used again, with new connections.
	Dispose() error
	// Stats describes the pool.
	Stats() PoolStats
	// Target names the database as the calls of the chain do. What only the
	// server can tell is known after Ping.
	Target() sp.Target
}

// A BackendConn is one connection of a [Backend]. It is used by one goroutine
// at a time.
type BackendConn interface {
	// Run runs a statement and buffers its answer.
	Run(ctx context.Context, q Bound) (Outcome, error)
	// Open runs a statement and leaves its answer open; see [Backend].Open.
	// Until the cursor is closed the connection can do nothing else.
	Open(ctx context.Context, q Bound, window int) (Cursor, error)
	// Batch runs statements in order, in one round trip where the database
	// can, and returns one outcome for each. It stops at the first that fails,
	// with a [BatchError] and the outcomes of those before.
	Batch(ctx context.Context, qs []Bound) ([]Outcome, error)
	// Begin begins a transaction, which outlives ctx.
	Begin(ctx context.Context, opts TxOptions) error
	// Commit commits the transaction that Begin began. It is over, whatever
	// is returned.
	Commit(ctx context.Context) error
	// Rollback rolls back the transaction that Begin began. It is over,
	// whatever is returned.
	Rollback(ctx context.Context) error
	// Savepoint sets a savepoint in the open transaction.
	Savepoint(ctx context.Context, name string) error
	// RollbackTo undoes what was done since a savepoint and removes it.
	RollbackTo(ctx context.Context, name string) error
	// Release removes a savepoint and keeps what was done since.
	Release(ctx context.Context, name string) error
	// Raw calls fn with the driver's own connection, which fn must not keep.
	// What fn does bypasses the chain.
	Raw(fn func(driverConn any) error) error
	// Close gives the connection back to the pool, or closes it for good if
	// discard is set. An open transaction is rolled back.
	Close(discard bool) error
}

// A Cursor is the open answer to a statement, before its first row. It is used
// by one goroutine at a time.
type Cursor interface {
	// Names returns the names of the answer's columns; none for a statement
	// that returns no rows. The result must not be changed.
	Names() []string
	// Columns describes the columns. The result must not be changed.
	Columns() []Column
	// Next moves to the next row. It returns false at the end and on an error.
	Next() bool
	// Scan copies the current row into what dest points to, one per column.
	Scan(dest ...any) error
	// Fetch reads n rows more, or all if n is below 1, into a block that
	// outlives the cursor. A block shorter than n is the last one.
	Fetch(n int) (Block, error)
	// Err returns the error that ended the rows, or nil.
	Err() error
	// Close ends the answer without reading the rest. It is idempotent.
	Close() error
}

// A Block is a number of rows in memory. It is immutable and safe for
// concurrent use.
type Block interface {
	// Len returns the number of rows.
	Len() int
	// Scan copies a row, counted from 0, into what dest points to, one per
	// column. A nil in dest skips its column.
	Scan(row int, dest ...any) error
	// Values returns a row's values: nil, int64, uint64 above its range,
	// float64, bool, string, []byte, [time.Time], or a type of the dialect's
	// own. The slice is the caller's, what its values point to is not.
	Values(row int) ([]any, error)
}

// Outcome is what came of a statement.
type Outcome struct {
	// Columns are the columns of the rows; nil if it returned none.
	Columns []Column
	// Rows are the rows; nil if the statement returns none.
	Rows Block
	// Affected is the number of rows the statement changed or, where it changed
	// none, returned; -1 if the database does not tell.
	Affected int64
	// LastID is the key that was generated for the row inserted, the first one
	// of several; see HasLastID.
	LastID int64
	// HasLastID says that LastID is set.
	HasLastID bool
}

// Column describes a column of an answer.
type Column struct {
	// Name is its name; not necessarily unique in the answer.
	Name string
	// Type is the database's name of its type, in upper case; empty if the
	// database does not tell.
	Type string
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
