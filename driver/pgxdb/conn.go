package pgxdb

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	sp "github.com/sessionproxy/sessionproxy"
)

// Conn is a [pgx.Conn] whose operations pass through a chain. Like pgx's
// connection it is used by one goroutine at a time.
type Conn struct{ executor }

// WrapConn attaches chain to a connection.
func WrapConn(conn *pgx.Conn, chain sp.Chain, opts ...Option) (*Conn, error) {
	if conn == nil {
		return nil, errors.New("pgxdb: wrap connection: the connection is nil")
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	config := conn.Config()
	p := newPipeline(chain, c, config)
	p.traced = config.Tracer != nil
	p.learn(conn)
	return &Conn{executor{pipeline: p, raw: conn, conn: conn}}, nil
}

// Unwrap returns pgx's own connection. What you do with it bypasses the chain.
func (c *Conn) Unwrap() *pgx.Conn { return c.conn }

// PgConn is [pgx.Conn.PgConn]. What you do with it bypasses the chain.
func (c *Conn) PgConn() *pgconn.PgConn { return c.conn.PgConn() }

// TypeMap is [pgx.Conn.TypeMap].
func (c *Conn) TypeMap() *pgtype.Map { return c.conn.TypeMap() }

// LoadType is [pgx.Conn.LoadType]. Its queries bypass the chain.
func (c *Conn) LoadType(ctx context.Context, typeName string) (*pgtype.Type, error) {
	return c.conn.LoadType(ctx, typeName)
}

// LoadTypes is [pgx.Conn.LoadTypes]. Its query bypasses the chain.
func (c *Conn) LoadTypes(ctx context.Context, typeNames []string) ([]*pgtype.Type, error) {
	return c.conn.LoadTypes(ctx, typeNames)
}

// WaitForNotification is [pgx.Conn.WaitForNotification]. It blocks until a
// notification arrives or ctx ends. It is not a call of the chain: it may wait
// for hours, and asks nothing of the server.
func (c *Conn) WaitForNotification(ctx context.Context) (*pgconn.Notification, error) {
	return c.conn.WaitForNotification(ctx)
}

// Exec is [pgx.Conn.Exec] through the chain.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.exec(ctx, sql, args)
}

// Query is [pgx.Conn.Query] through the chain; see [Pool.Query].
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return c.query(ctx, sql, args)
}

// QueryRow is [pgx.Conn.QueryRow] through the chain; see [Pool.QueryRow].
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return c.queryRow(ctx, sql, args)
}

// SendBatch is [pgx.Conn.SendBatch] through the chain: one call for the whole
// batch, which ends when the results are closed. It reads the first statement's
// first row before it returns, so that the chain sees an early failure and may
// send the batch again. A statement that fails later is reported to the chain
// as an event with its number.
func (c *Conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.sendBatch(ctx, b)
}

// CopyFrom is [pgx.Conn.CopyFrom] through the chain. It is not retried, unless
// src is a [RestartableSource].
func (c *Conn) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return c.copyFrom(ctx, table, columns, src)
}

// Begin is [pgx.Conn.Begin] through the chain; see [Pool.BeginTx].
func (c *Conn) Begin(ctx context.Context) (pgx.Tx, error) { return c.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx is [pgx.Conn.BeginTx] through the chain; see [Pool.BeginTx].
func (c *Conn) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	if c.empty {
		return c.conn.BeginTx(ctx, opts)
	}
	return c.begin(ctx, opts)
}

// Prepare is [pgx.Conn.Prepare] through the chain.
func (c *Conn) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return c.prepare(ctx, name, sql, c.conn.Prepare)
}

// Deallocate is [pgx.Conn.Deallocate] through the chain, where it is an
// [sp.OpExec].
func (c *Conn) Deallocate(ctx context.Context, name string) error {
	if c.empty {
		return c.conn.Deallocate(ctx, name)
	}
	return c.perform(ctx, sp.OpExec, "DEALLOCATE "+pgx.Identifier{name}.Sanitize(),
		func(ctx context.Context, s *stmtCall) error {
			unnamed(s.conn, name)
			return s.conn.Deallocate(ctx, name)
		})
}

// DeallocateAll is [pgx.Conn.DeallocateAll] through the chain, where it is an
// [sp.OpExec].
func (c *Conn) DeallocateAll(ctx context.Context) error {
	if c.empty {
		return c.conn.DeallocateAll(ctx)
	}
	return c.perform(ctx, sp.OpExec, "DEALLOCATE ALL",
		func(ctx context.Context, s *stmtCall) error {
			unnamed(s.conn, "")
			return s.conn.DeallocateAll(ctx)
		})
}

// Ping is [pgx.Conn.Ping] through the chain.
func (c *Conn) Ping(ctx context.Context) error {
	if c.empty {
		return c.conn.Ping(ctx)
	}
	return c.ping(ctx)
}

// Config returns a copy of the connection's configuration; see
// [pgx.Conn.Config].
func (c *Conn) Config() *pgx.ConnConfig { return c.conn.Config() }

// IsClosed is [pgx.Conn.IsClosed].
func (c *Conn) IsClosed() bool { return c.conn.IsClosed() }

// Close closes the connection; see [pgx.Conn.Close]. A connection of a pool is
// released instead: see [PoolConn.Release].
func (c *Conn) Close(ctx context.Context) error { return c.conn.Close(ctx) }

// prepareFunc is the Prepare of a connection or transaction of pgx.
type prepareFunc func(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error)

func (e *executor) prepare(ctx context.Context, name, sql string, prepare prepareFunc) (sd *pgconn.StatementDescription, err error) {
	if e.empty {
		return prepare(ctx, name, sql)
	}
	err = e.perform(ctx, sp.OpPrepare, sql, func(ctx context.Context, s *stmtCall) (err error) {
		if sd, err = prepare(ctx, name, sql); err == nil {
			s.named(s.conn, name, sql)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return sd, nil
}
