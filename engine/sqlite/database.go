package sqlite

import (
	"context"
	"database/sql"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/sqlbackend"
)

// database is a SQLite database: one connection that writes and a pool of
// connections that read. In memory, they are the same.
type database struct {
	dialect *backend.Dialect
	writer  *sqlbackend.Pool
	readers *sqlbackend.Pool
}

var _ backend.DB = (*database)(nil)

// forStatement returns the pool for a statement on its own.
func (b *database) forStatement(q backend.BoundStatement) *sqlbackend.Pool {
	if q.ReadOnly {
		return b.readers
	}
	return b.writer
}

// forTx returns the pool for a transaction.
func (b *database) forTx(opts backend.TxOptions) (*sqlbackend.Pool, backend.TxOptions, error) {
	if opts.Isolation != sql.LevelDefault && opts.Isolation != sql.LevelSerializable {
		return nil, opts, unsupported(opts.Isolation)
	}
	opts.Isolation = sql.LevelDefault
	if opts.ReadOnly {
		return b.readers, opts, nil
	}
	return b.writer, opts, nil
}

// Dialect implements [backend.DB].
func (b *database) Dialect() *backend.Dialect { return b.dialect }

// Ping implements [backend.DB]. It uses the writer, which creates the file.
func (b *database) Ping(ctx context.Context) error { return b.writer.Ping(ctx) }

// Execute implements [backend.DB].
func (b *database) Execute(ctx context.Context, q backend.BoundStatement) (backend.Result, error) {
	return b.forStatement(q).Execute(ctx, q)
}

// Query implements [backend.DB].
func (b *database) Query(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	return b.forStatement(q).Query(ctx, q, window)
}

// RunInTx implements [backend.DB].
func (b *database) RunInTx(ctx context.Context, opts backend.TxOptions, fn func(context.Context, backend.Conn) error) error {
	pool, opts, err := b.forTx(opts)
	if err != nil {
		return err
	}
	return pool.RunInTx(ctx, opts, fn)
}

// Connect implements [backend.DB].
func (b *database) Connect(ctx context.Context) (backend.Conn, error) {
	reader, err := b.readers.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if b.readers == b.writer {
		return &conn{Conn: reader, database: b}, nil
	}
	return &conn{Conn: reader, reader: reader, database: b}, nil
}

// Dispose implements [backend.DB].
func (b *database) Dispose() error {
	if b.readers == b.writer {
		return b.writer.Dispose()
	}
	return errors.Join(b.readers.Dispose(), b.writer.Dispose())
}

// Stats implements [backend.DB].
func (b *database) Stats() (s backend.PoolStats) {
	b.readers.Stats(&s)
	if b.readers != b.writer {
		b.writer.Stats(&s)
	}
	return s
}

// Target implements [backend.DB].
func (b *database) Target() sp.Target { return b.writer.Target() }
