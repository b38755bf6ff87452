package backend

// Result is the result of a statement, in memory.
type Result struct {
	// Columns are the columns of the rows; nil if the statement returns none.
	Columns []Column
	// Rows are the rows; nil if the statement returns none.
	Rows Block
	// Affected is the number of rows the statement changed or, if it changed
	// none, returned; -1 if the database does not report it.
	Affected int64
	// LastID is the key that was generated for the inserted row, the first one
	// of several; see HasLastID.
	LastID int64
	// HasLastID says that LastID is set.
	HasLastID bool
}

// Column describes a column of a result.
type Column struct {
	// Name is the column's name; not necessarily unique in the result.
	Name string
	// Type is the database's name of the column's type, in upper case; empty if
	// the database does not report it.
	Type string
}

// A Block is a number of rows in memory. It is immutable and safe for
// concurrent use.
type Block interface {
	// Len returns the number of rows.
	Len() int
	// Scan copies a row, counted from 0, into what dest points to, one per
	// column. A nil in dest skips its column.
	Scan(row int, dest ...any) error
	// Values returns a row's values: nil, int64, uint64 above its range,
	// float64, bool, string, []byte, [time.Time], or a type of the dialect's
	// own. The caller may change the slice, but not what its values point to.
	Values(row int) ([]any, error)
}

// A Cursor is the open result of a statement, before its first row. It is used
// by one goroutine at a time.
type Cursor interface {
	// Names returns the names of the result's columns; none for a statement
	// that returns no rows. The returned slice must not be changed.
	Names() []string
	// Columns describes the columns. The returned slice must not be changed.
	Columns() []Column
	// Next moves to the next row. It returns false at the end and on an error.
	Next() bool
	// Scan copies the current row into what dest points to, one per column.
	Scan(dest ...any) error
	// Fetch reads the next n rows, or all if n is below 1, into a block that
	// outlives the cursor. A block shorter than n is the last one.
	Fetch(n int) (Block, error)
	// Err returns the error that ended the rows, or nil.
	Err() error
	// Close ends the result without reading the rest. It is idempotent.
	Close() error
}
