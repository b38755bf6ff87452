package model_test

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// runner is what statements run on: a pool, a connection, a transaction.
type runner interface {
	exec(ctx context.Context, text string) error
	query(ctx context.Context, text string) error
	prepared(ctx context.Context, text string) error
}

// tx is a transaction.
type tx interface {
	runner
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
}

// conn is a connection that is held.
type conn interface {
	runner
	begin(ctx context.Context) (tx, error)
	release()
}

// client is a service's way to its database, with a pool of one connection.
type client interface {
	runner
	begin(ctx context.Context) (tx, error)
	hold(ctx context.Context) (conn, error)
	unit(ctx context.Context, fn func(ctx context.Context, t tx) error) error
	close()
}

// opener opens a client of a scripted server through a chain.
type opener func(chain sp.Chain) (client, error)

// sqlRunner is what a *sqldb.DB, a *sql.Conn and a *sql.Tx have in common.
type sqlRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

type sqlOn struct{ db sqlRunner }

func (r sqlOn) exec(ctx context.Context, text string) error {
	_, err := r.db.ExecContext(ctx, text)
	return err
}

func (r sqlOn) query(ctx context.Context, text string) error {
	rows, err := r.db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	return drain(rows)
}

func drain(rows *sql.Rows) error {
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func (r sqlOn) prepared(ctx context.Context, text string) error {
	st, err := r.db.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer st.Close()
	_, err = st.ExecContext(ctx)
	return err
}

type sqlTx struct {
	sqlOn
	tx *sql.Tx
}

func (t sqlTx) commit(context.Context) error   { return t.tx.Commit() }
func (t sqlTx) rollback(context.Context) error { return t.tx.Rollback() }

type sqlConn struct {
	sqlOn
	conn *sql.Conn
}

func (c sqlConn) begin(ctx context.Context) (tx, error) {
	t, err := c.conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return sqlTx{sqlOn{t}, t}, nil
}
func (c sqlConn) release() { _ = c.conn.Close() }

// sqlClient is a handle of database/sql.
type sqlClient struct {
	handle *sqldb.DB
	sqlOn
}

// handleOn makes a handle's PrepareContext that of the pool: a statement of a
// handle is prepared and run as one call.
type handleOn struct{ *sqldb.DB }

func (h handleOn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return h.DB.DB.PrepareContext(ctx, query)
}

// plainSQL uses the *sql.DB alone, where a retry gets the same connection.
func plainSQL(db *sql.DB, handle *sqldb.DB) client { return sqlClient{handle, sqlOn{db}} }

// handleSQL uses the handle, where it gets another one.
func handleSQL(handle *sqldb.DB) client { return sqlClient{handle, sqlOn{handleOn{handle}}} }

func (c sqlClient) begin(ctx context.Context) (tx, error) {
	t, err := c.handle.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return sqlTx{sqlOn{t}, t}, nil
}

func (c sqlClient) hold(ctx context.Context) (conn, error) {
	conn, err := c.handle.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return sqlConn{sqlOn{conn}, conn}, nil
}

func (c sqlClient) unit(ctx context.Context, fn func(ctx context.Context, t tx) error) error {
	return c.handle.RunInTx(ctx, nil, func(ctx context.Context, t *sql.Tx) error { return fn(ctx, sqlTx{sqlOn{t}, t}) })
}
func (c sqlClient) close() { _ = c.handle.Close() }

// pgxRunner is what pgxdb's types and pgx.Tx have in common.
type pgxRunner interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

type pgxOn struct{ db pgxRunner }

func (r pgxOn) exec(ctx context.Context, text string) error {
	_, err := r.db.Exec(ctx, text)
	return err
}

func (r pgxOn) query(ctx context.Context, text string) error {
	rows, err := r.db.Query(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// prepared is a batch of one statement: pgx prepares everything else by itself.
func (r pgxOn) prepared(ctx context.Context, text string) error {
	b := &pgx.Batch{}
	b.Queue(text)
	return r.db.(interface {
		SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	}).SendBatch(ctx, b).Close()
}

type pgxTx struct {
	pgxOn
	tx pgx.Tx
}

func (t pgxTx) commit(ctx context.Context) error   { return t.tx.Commit(ctx) }
func (t pgxTx) rollback(ctx context.Context) error { return t.tx.Rollback(ctx) }

type pgxConn struct {
	pgxOn
	conn *pgxdb.PoolConn
}

func (c pgxConn) begin(ctx context.Context) (tx, error) { return pgxBegun(c.conn.Begin(ctx)) }
func (c pgxConn) release()                              { c.conn.Release() }

func pgxBegun(t pgx.Tx, err error) (tx, error) {
	if err != nil {
		return nil, err
	}
	return pgxTx{pgxOn{t}, t}, nil
}

type pgxClient struct {
	pgxOn
	pool *pgxdb.Pool
}

func (c pgxClient) begin(ctx context.Context) (tx, error) { return pgxBegun(c.pool.Begin(ctx)) }

func (c pgxClient) hold(ctx context.Context) (conn, error) {
	held, err := c.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return pgxConn{pgxOn{held}, held}, nil
}

func (c pgxClient) unit(ctx context.Context, fn func(ctx context.Context, t tx) error) error {
	return c.pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, t pgx.Tx) error { return fn(ctx, pgxTx{pgxOn{t}, t}) })
}
func (c pgxClient) close() { c.pool.Close() }
