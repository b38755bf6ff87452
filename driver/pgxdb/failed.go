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

// batchFailure says how pgx reports the failure of a batch.
type batchFailure uint8

const (
	// failedEarly: every result has the error, and no callback is called.
	failedEarly batchFailure = iota
	// failedAtOnce: the result of the first statement is the error.
	failedAtOnce
	// failedLate: the rows of the first statement report it.
	failedLate
)

// failedBatch returns the results of a batch that failed before the caller saw
// any of it. A function that was queued with the first statement hears of the
// statement's error, and may make another of it, as with pgx. The batch was sent
// on conn, if it was.
func (e *executor) failedBatch(b *pgx.Batch, err error, how batchFailure, conn *pgx.Conn) pgx.BatchResults {
	failed := pgx.FailedBatchResults(b, err)
	if how == failedEarly {
		return failed
	}
	r := &failedResults{BatchResults: failed, executor: e, batch: b, cause: err, late: how == failedLate}
	switch conn.Config().DefaultQueryExecMode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol:
		r.each = true
	}
	return r
}

// failedResults are the results of a batch whose first statement failed. pgx has
// two ways with those, depending on how it has sent them.
type failedResults struct {
	pgx.BatchResults // of a batch that was not sent
	executor         *executor
	batch            *pgx.Batch
	cause            error
	late             bool // the first statement's rows report it
	each             bool // each statement fails by itself
	asked            int
	doomed           bool  // rows have reported it, and what follows fails with it
	err              error // with which all that follows fails
	closed           bool
}

// begin is what comes before the answer to a statement.
func (r *failedResults) begin() error {
	r.inherit()
	if r.err == nil {
		r.asked++
	}
	return r.err
}

// inherit makes the failure of a statement's rows that of what follows.
func (r *failedResults) inherit() {
	if r.err == nil && r.doomed {
		r.err = r.cause
	}
}

// Exec is the method of [pgx.BatchResults].
func (r *failedResults) Exec() (pgconn.CommandTag, error) {
	if err := r.begin(); err != nil {
		return pgconn.CommandTag{}, err
	}
	if !r.each || r.late && r.asked == 1 {
		r.err = r.cause
	}
	return pgconn.CommandTag{}, r.cause
}

// Query is the method of [pgx.BatchResults].
func (r *failedResults) Query() (pgx.Rows, error) {
	if err := r.begin(); err != nil {
		return r.executor.failed(err, false)
	}
	if r.late && r.asked == 1 {
		rows := &failedRows{err: r.cause, conn: r.executor.conn}
		rows.onEnd = func() { r.doomed = !r.each }
		return rows, nil
	}
	if !r.each {
		r.err = r.cause
	}
	return r.executor.failed(r.cause, false)
}

// QueryRow is the method of [pgx.BatchResults].
func (r *failedResults) QueryRow() pgx.Row {
	rows, _ := r.Query() //nolint:sqlclosecheck // the row closes them
	return (*failedBatchRow)(rows.(*failedRows))
}

// Close is the method of [pgx.BatchResults].
func (r *failedResults) Close() error {
	r.inherit()
	if r.closed {
		return r.err
	}
	r.closed = true
	for r.err == nil && r.asked < r.batch.Len() {
		fn := r.batch.QueuedQueries[r.asked].Fn
		if fn == nil {
			_, _ = r.Exec()
		} else if err := fn(r); err != nil {
			r.err = err
		}
	}
	_ = r.BatchResults.Close()
	if r.err == nil && r.each {
		r.err = r.cause
	}
	return r.err
}

// failedBatchRow is the row of a statement of a batch that failed.
type failedBatchRow failedRows

// Scan returns the error.
func (r *failedBatchRow) Scan(...any) error {
	rows := (*failedRows)(r)
	rows.Close()
	return rows.err
}

// closeUnheard closes the results of an attempt that nobody gets, without a word
// to the functions that were queued.
func closeUnheard(r pgx.BatchResults, b *pgx.Batch) {
	fns := make([]func(pgx.BatchResults) error, len(b.QueuedQueries))
	for i, q := range b.QueuedQueries {
		fns[i], q.Fn = q.Fn, nil
	}
	_ = r.Close()
	for i, q := range b.QueuedQueries {
		q.Fn = fns[i]
	}
}
