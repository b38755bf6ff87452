package sqlite

import (
	"context"
	"database/sql"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/internal/stdsql"
)

// backend is a database: one connection that writes and a pool of those that
// read. In memory, they are the same.
type backend struct {
	dialect *engine.Dialect
	writer  *stdsql.Pool
	readers *stdsql.Pool
}

var _ engine.Backend = (*backend)(nil)

// forStatement returns the pool for a statement on its own.
func (b *backend) forStatement(q engine.Bound) *stdsql.Pool {
	if q.ReadOnly {
		return b.readers
	}
	return b.writer
}

// forTx returns the pool for a transaction.
func (b *backend) forTx(opts engine.TxOptions) (*stdsql.Pool, engine.TxOptions, error) {
	if opts.Isolation != sql.LevelDefault && opts.Isolation != sql.LevelSerializable {
		return nil, opts, unsupported(opts.Isolation)
	}
	opts.Isolation = sql.LevelDefault
	if opts.ReadOnly {
		return b.readers, opts, nil
	}
	return b.writer, opts, nil
}

// Dialect implements [engine.Backend].
func (b *backend) Dialect() *engine.Dialect { return b.dialect }

// Ping implements [engine.Backend]. It asks the writer, which makes the file.
func (b *backend) Ping(ctx context.Context) error { return b.writer.Ping(ctx) }

// Run implements [engine.Backend].
func (b *backend) Run(ctx context.Context, q engine.Bound) (engine.Outcome, error) {
	return b.forStatement(q).Run(ctx, q)
}

// Open implements [engine.Backend].
func (b *backend) Open(ctx context.Context, q engine.Bound, window int) (engine.Cursor, error) {
	return b.forStatement(q).Open(ctx, q, window)
}

// RunInTx implements [engine.Backend].
func (b *backend) RunInTx(ctx context.Context, opts engine.TxOptions, fn func(context.Context, engine.BackendConn) error) error {
	pool, opts, err := b.forTx(opts)
	if err != nil {
		return err
	}
	return pool.RunInTx(ctx, opts, fn)
}

// Connect implements [engine.Backend].
func (b *backend) Connect(ctx context.Context) (engine.BackendConn, error) {
	reader, err := b.readers.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if b.readers == b.writer {
		return &conn{Conn: reader, backend: b}, nil
	}
	return &conn{Conn: reader, reader: reader, backend: b}, nil
}

// Dispose implements [engine.Backend].
func (b *backend) Dispose() error {
	if b.readers == b.writer {
		return b.writer.Dispose()
	}
	return errors.Join(b.readers.Dispose(), b.writer.Dispose())
}

// Stats implements [engine.Backend].
func (b *backend) Stats() (s engine.PoolStats) {
	b.readers.Stats(&s)
	if b.readers != b.writer {
		b.writer.Stats(&s)
	}
	return s
}

// Target implements [engine.Backend].
func (b *backend) Target() sp.Target { return b.writer.Target() }
