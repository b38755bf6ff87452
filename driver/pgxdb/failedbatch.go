package pgxdb

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

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
