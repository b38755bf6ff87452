package pgxdb

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// firstRow is an answer that was read up to its first row.
type firstRow struct {
	rows pgx.Rows
	more bool // there is one
}

// query performs a query up to its first row, with which PostgreSQL reports
// many an error.
func (s *stmtCall) query(ctx context.Context) error {
	raw, err := s.on.Query(ctx, s.call.Text, s.arguments()...)
	s.travelled()
	if err != nil {
		return err
	}
	more := raw.Next()
	if !more && raw.Err() != nil {
		s.late(true)
		return raw.Err()
	}
	s.first = firstRow{rows: raw, more: more}
	s.keepOpen(ctx)
	return nil
}

// rows runs a query through the chain. After an error the call is the caller's
// to free.
func (s *stmtCall) rows(ctx context.Context) (*rows, error) {
	open, err := s.run(ctx)
	if err == nil && !open {
		err = errNotPerformed(s.Op) // an interceptor made a success of a failure
	}
	if err != nil {
		return nil, err
	}
	r := &rows{Rows: s.first.rows, more: s.first.more, peeked: true, acquired: s.acquired}
	r.unit, r.doubt = s.unit, s.doubts > 0
	if s.loose() {
		s.free()
		return r, nil
	}
	r.call, s.result = s, r
	r.stop = s.watch()
	return r, nil
}

// rows are pgx's rows that finish a call and give a connection back when they
// are closed.
type rows struct {
	pgx.Rows

	peeked   bool // the first row was read and not asked for yet
	more     bool // there is a first row
	ended    bool
	read     int64 // rows that the caller has asked for and got
	acquired acquired
	unit     *unit.State // of the unit of work in whose transaction it was asked; nil: none
	doubt    bool        // the statement may end the transaction
	call     *stmtCall   // nil: nobody waits for the end
	stop     func() bool // stops the watch on the context; nil: none
}

// Next is the method of [pgx.Rows].
func (r *rows) Next() bool {
	if r.peeked {
		return r.nextFirst()
	}
	if r.Rows.Next() {
		r.read++
		return true
	}
	r.end()
	return false
}

func (r *rows) nextFirst() bool {
	r.peeked = false
	if r.more && !r.ended {
		r.read++
		return true
	}
	r.end()
	return false
}

// Scan is the method of [pgx.Rows]. An error closes the rows.
func (r *rows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.end()
	}
	return err
}

// Values is the method of [pgx.Rows]. An error closes the rows.
func (r *rows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.end()
	}
	return values, err
}

// Close is the method of [pgx.Rows].
func (r *rows) Close() { r.end() }

// end closes the rows and finishes their call. It may be called more than
// once.
func (r *rows) end() {
	if r.ended {
		return
	}
	r.ended = true
	r.Rows.Close()
	r.answered()
	r.acquired.release()
	if r.call == nil {
		return
	}
	s := r.call
	r.call = nil
	s.end(r.Rows.Err(), r.stop)
}

// answered tells the unit of work what the server says it has done.
func (r *rows) answered() {
	if r.unit != nil && (goesOn(r.unit, r.CommandTag()) || failing(r.Conn())) && r.doubt {
		r.unit.Clear()
	}
}

func (r *rows) discard() { r.Rows.Close() }

func (r *rows) finalize(call *sp.Call) {
	call.RowsReturned = r.read
	call.RowsAffected = r.CommandTag().RowsAffected()
}

// row is the one row of QueryRow.
type row rows

// errBytes is the error that pgx has for the same.
var errBytes = errors.New("cannot scan into *pgtype.DriverBytes from QueryRow")

// Scan is the method of [pgx.Row].
func (r *row) Scan(dest ...any) error {
	rs := (*rows)(r)
	defer rs.end()
	if err := rs.Err(); err != nil {
		return err
	}
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errBytes
		}
	}
	if !rs.Next() {
		if err := rs.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := rs.Scan(dest...); err != nil {
		return err
	}
	rs.end()
	return rs.Err()
}
