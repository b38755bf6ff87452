package engine

// A Result is the answer to a statement, in memory. It has the methods of a
// [View] of its rows. A result does not need to be closed, and keeps no
// connection.
type Result struct {
	View[Row]
	outcome Outcome
}

func newResult(d *Dialect, o Outcome) *Result {
	src := &buffered{cols: &columns{o.Columns, d}, block: o.Rows}
	return &Result{View: rowView(src), outcome: o}
}

func rowView(src source) View[Row] {
	return View[Row]{src: src, keep: true, read: func(s source) (Row, error) { return s.row(), nil }}
}

// ReturnsRows reports whether the statement returns rows, be it none. Reading
// the rows of one that does not is an error that matches [ErrNoRows].
func (r *Result) ReturnsRows() bool { return r.outcome.Rows != nil }

// RowsAffected returns the number of rows the statement changed, or returned
// if it changed none; -1 if the database does not tell.
func (r *Result) RowsAffected() int64 { return r.outcome.Affected }

// LastInsertID returns the key that the database generated for the row that
// was inserted, for the first one of several. Not every database tells: with a
// RETURNING clause the key is in the rows. See [Features].
func (r *Result) LastInsertID() (id int64, ok bool) { return r.outcome.LastID, r.outcome.HasLastID }

// Freeze returns a copy of the whole result that gives new results from the
// first row on, for a cache.
func (r *Result) Freeze() *FrozenResult {
	return &FrozenResult{dialect: r.src.columns().dialect, outcome: r.outcome}
}

// A FrozenResult is a result that can be read any number of times. It is
// immutable and safe for concurrent use.
type FrozenResult struct {
	dialect *Dialect
	outcome Outcome
}

// Result returns a new result with all rows.
func (f *FrozenResult) Result() *Result { return newResult(f.dialect, f.outcome) }

// A Rows is a [Result] or a [Stream].
type Rows interface {
	// rows returns the view that the answer's other views are made from.
	rows() *View[Row]
}

func (v *View[T]) rows() *View[Row] {
	view := rowView(v.src)
	return &view
}

// ColumnTypes describes the columns.
func (r *Result) ColumnTypes() []Column { return append([]Column(nil), r.outcome.Columns...) }
