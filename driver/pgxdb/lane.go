package pgxdb

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// lane is where statements run: a pool, a connection or a transaction.
type lane struct {
	*pipeline
	raw  executor      // pgx's own
	pool *pgxpool.Pool // raw, if it is a pool
	conn *pgx.Conn     // raw, or what it runs on; nil for a pool
	tx   bool          // raw is a transaction
	unit *unit.State   // what is known of the unit of work it belongs to; nil: none
}

// call describes a call of this lane.
func (l *lane) call(ctx context.Context, op sp.Op, text string, args []any) *stmtCall {
	s := l.start(ctx, op, text, args)
	if l.pool != nil {
		s.pool, s.Scope = l.pool, sp.ScopePool
		return s
	}
	s.on, s.conn, s.Scope, s.unit = l.raw, l.conn, sp.ScopeConn, l.unit
	s.InTx = l.tx || inTx(l.conn)
	return s
}

// statement describes the call of one statement.
func (l *lane) statement(ctx context.Context, op sp.Op, text string, args []any) *stmtCall {
	s := l.call(ctx, op, text, args)
	s.Prepared = s.standsFor()
	return s
}

// inTx reports whether a transaction is open on a connection, as the server says
// with every answer.
func inTx(conn *pgx.Conn) bool { return conn.PgConn().TxStatus() != 'I' }

// perform makes a call of an operation that leaves nothing open.
func (l *lane) perform(ctx context.Context, op sp.Op, text string, act func(ctx context.Context, s *stmtCall) error) error {
	s := l.call(ctx, op, text, nil)
	s.act = act
	return s.finish(ctx)
}

func (l *lane) exec(ctx context.Context, sql string, args []any) (pgconn.CommandTag, error) {
	if l.bare(ctx, sp.OpExec) {
		return l.raw.Exec(ctx, sql, args...)
	}
	s := l.statement(ctx, sp.OpExec, sql, args)
	_, err := s.run(ctx)
	tag := s.tag
	s.free()
	return tag, err
}

func (l *lane) query(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	if l.bare(ctx, sp.OpQuery) {
		return l.raw.Query(ctx, sql, args...)
	}
	s := l.statement(ctx, sp.OpQuery, sql, args)
	r, err := s.rows(ctx)
	if err == nil {
		return r, nil
	}
	late := s.reportsLate()
	s.free()
	return l.failed(err, late)
}

func (l *lane) queryRow(ctx context.Context, sql string, args []any) pgx.Row {
	if l.bare(ctx, sp.OpQuery) {
		return l.raw.QueryRow(ctx, sql, args...)
	}
	s := l.statement(ctx, sp.OpQuery, sql, args)
	r, err := s.rows(ctx)
	if err != nil {
		s.free()
		return failedRow{err}
	}
	return (*row)(r)
}

// ping asks the server for an empty answer.
func (l *lane) ping(ctx context.Context) error {
	return l.perform(ctx, sp.OpPing, "", func(ctx context.Context, s *stmtCall) error { return s.conn.Ping(ctx) })
}
