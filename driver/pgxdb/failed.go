package pgxdb

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// late remembers of the attempt at work whether it failed after pgx had returned
// from Query: pgx reports that through the rows.
func (s *stmtCall) late(late bool) {
	if s.origin != nil {
		s = s.origin
	}
	s.reported.Store(late)
}

// reportsLate reports whether pgx would have reported the failure of a query
// through its rows.
func (s *stmtCall) reportsLate() bool { return s.reported.Load() }

// failed returns what pgx's Query does for err: rows that report it, and err
// itself unless the server's answer was at fault, which pgx has not read yet
// when it returns.
func (e *executor) failed(err error, late bool) (pgx.Rows, error) {
	r := &failedRows{err: err, conn: e.conn, closed: !late}
	if late {
		return r, nil
	}
	return r, err
}

// failedRow is the row of a query that failed.
type failedRow struct{ err error }

// Scan returns the error.
func (r failedRow) Scan(...any) error { return r.err }

// failedRows are the rows of a query that failed. As with pgx's they do not
// report the error of the server's answer before they are read or closed.
type failedRows struct {
	err    error
	conn   *pgx.Conn // nil if the query took its connection from a pool
	closed bool
	onEnd  func() // called once when they are closed; nil: nobody waits
}

var _ pgx.Rows = (*failedRows)(nil)

// Close ends the rows.
func (r *failedRows) Close() {
	r.closed = true
	if end := r.onEnd; end != nil {
		r.onEnd = nil
		end()
	}
}

// Err returns the error, once the rows are closed.
func (r *failedRows) Err() error {
	if !r.closed {
		return nil
	}
	return r.err
}

// Next closes the rows: there is no row.
func (r *failedRows) Next() bool {
	r.Close()
	return false
}

// Scan returns the error and closes the rows.
func (r *failedRows) Scan(...any) error {
	r.Close()
	return r.err
}

// Values returns the error and closes the rows.
func (r *failedRows) Values() ([]any, error) {
	r.Close()
	return nil, r.err
}

// RawValues returns nil.
func (*failedRows) RawValues() [][]byte { return nil }

// CommandTag returns the empty tag.
func (*failedRows) CommandTag() pgconn.CommandTag { return pgconn.CommandTag{} }

// FieldDescriptions returns nil.
func (*failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }

// Conn returns the connection the query ran on, or nil if that went back to its
// pool.
func (r *failedRows) Conn() *pgx.Conn { return r.conn }

// TypeMap returns the types of the connection, or nil.
func (r *failedRows) TypeMap() *pgtype.Map {
	if r.conn == nil {
		return nil
	}
	return r.conn.TypeMap()
}
