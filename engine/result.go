package engine

import "github.com/sessionproxy/sessionproxy/engine/backend"

// A Result is the result of a statement, in memory. It has the methods of
// [Rows]. A result does not need to be closed, and keeps no connection.
type Result struct {
	Rows[Row]
	outcome backend.Result
}

func newResult(d *Dialect, o backend.Result) *Result {
	src := &buffered{cols: &columns{o.Columns, d}, block: o.Rows}
	return &Result{Rows: newRows(src), outcome: o}
}

func newRows(src source) Rows[Row] {
	return Rows[Row]{src: src, keep: true, read: func(s source) (Row, error) { return s.row(), nil }}
}

// ReturnsRows reports whether the statement returns rows, possibly none.
// Reading the rows of a statement that does not is an error that matches
// [ErrNoRows].
func (r *Result) ReturnsRows() bool { return r.outcome.Rows != nil }

// RowsAffected returns the number of rows the statement changed, or returned if
// it changed none; -1 if the database does not report it.
func (r *Result) RowsAffected() int64 { return r.outcome.Affected }

// LastInsertID returns the key that the database generated for the inserted
// row, the first one if there are several. Not every database reports it: with
// a RETURNING clause the key is in the rows. See [backend.Features].
func (r *Result) LastInsertID() (id int64, ok bool) { return r.outcome.LastID, r.outcome.HasLastID }

// Freeze returns a copy of the whole result that yields new results starting at
// the first row, for a cache.
func (r *Result) Freeze() *FrozenResult {
	return &FrozenResult{dialect: r.src.columns().dialect, outcome: r.outcome}
}

// A FrozenResult is a result that can be read any number of times. It is
// immutable and safe for concurrent use.
type FrozenResult struct {
	dialect *Dialect
	outcome backend.Result
}

// Result returns a new result with all rows.
func (f *FrozenResult) Result() *Result { return newResult(f.dialect, f.outcome) }

// An Answer is a [Result] or a [Stream].
type Answer interface {
	// rows returns the rows from which all others of the answer are derived.
	rows() *Rows[Row]
}

func (v *Rows[T]) rows() *Rows[Row] {
	rows := newRows(v.src)
	return &rows
}

// ColumnTypes describes the columns.
func (r *Result) ColumnTypes() []backend.Column {
	return append([]backend.Column(nil), r.outcome.Columns...)
}
