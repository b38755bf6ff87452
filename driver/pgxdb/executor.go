package pgxdb

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// executor is where statements run: a pool, a connection or a transaction.
type executor struct {
	*pipeline
	raw  querier       // pgx's own
	pool *pgxpool.Pool // raw, if it is a pool
	conn *pgx.Conn     // raw, or what it runs on; nil for a pool
	tx   bool          // raw is a transaction
	unit *unit.State   // what is known of the unit of work it belongs to; nil: none
	node *sp.Node      // of a cluster, that conn leads to; nil: none
}

// call describes a call of this executor.
func (e *executor) call(ctx context.Context, op sp.Op, text string, args []any) *stmtCall {
	s := e.start(ctx, op, text, args)
	if e.pool != nil {
		s.pool, s.Scope = e.pool, sp.ScopePool
		return s
	}
	s.on, s.conn, s.Scope, s.unit = e.raw, e.conn, sp.ScopeConn, e.unit
	if e.node != nil {
		s.GoTo(e.node)
	}
	s.InTx = e.tx || inTx(e.conn)
	return s
}

// statement describes the call of one statement.
func (e *executor) statement(ctx context.Context, op sp.Op, text string, args []any) *stmtCall {
	s := e.call(ctx, op, text, args)
	s.Prepared = s.standsFor()
	return s
}

// inTx reports whether a transaction is open on a connection, as the server says
// with every answer.
func inTx(conn *pgx.Conn) bool { return conn.PgConn().TxStatus() != 'I' }

// perform makes a call of an operation that leaves nothing open.
func (e *executor) perform(ctx context.Context, op sp.Op, text string, act func(ctx context.Context, s *stmtCall) error) error {
	s := e.call(ctx, op, text, nil)
	s.act = act
	return s.finish(ctx)
}

func (e *executor) exec(ctx context.Context, sql string, args []any) (pgconn.CommandTag, error) {
	if e.bare(ctx, sp.OpExec) {
		return e.raw.Exec(ctx, sql, args...)
	}
	s := e.statement(ctx, sp.OpExec, sql, args)
	_, err := s.run(ctx)
	tag := s.tag
	s.free()
	return tag, err
}

func (e *executor) query(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	if e.bare(ctx, sp.OpQuery) {
		return e.raw.Query(ctx, sql, args...)
	}
	s := e.statement(ctx, sp.OpQuery, sql, args)
	r, err := s.rows(ctx)
	if err == nil {
		return r, nil
	}
	late := s.reportsLate()
	s.free()
	return e.failed(err, late)
}

func (e *executor) queryRow(ctx context.Context, sql string, args []any) pgx.Row {
	if e.bare(ctx, sp.OpQuery) {
		return e.raw.QueryRow(ctx, sql, args...)
	}
	s := e.statement(ctx, sp.OpQuery, sql, args)
	r, err := s.rows(ctx)
	if err != nil {
		s.free()
		return failedRow{err}
	}
	return (*row)(r)
}

// ping asks the server for an empty answer.
func (e *executor) ping(ctx context.Context) error {
	return e.perform(ctx, sp.OpPing, "", func(ctx context.Context, s *stmtCall) error { return s.conn.Ping(ctx) })
}
