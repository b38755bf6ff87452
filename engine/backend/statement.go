package backend

// BoundStatement is a statement ready to be sent: in the database's own syntax, with
// its arguments in order.
type BoundStatement struct {
	// Text is the SQL text.
	Text string
	// Args are the arguments of its placeholders.
	Args []any
	// Rows says that the statement returns rows, as far as its text tells.
	Rows bool
	// ReadOnly says that the statement changes nothing, as far as its text
	// tells: false in doubt.
	ReadOnly bool
	// Cursor says that a cursor can be declared for the statement, as far as
	// its text tells: false in doubt.
	Cursor bool
	// Inserts says that the statement is an INSERT or REPLACE, which may
	// generate a key.
	Inserts bool
	// Data says that the statement reads or changes rows and does nothing else,
	// so that it is understood the same way before and after its like.
	Data bool
	// EndsTx says that the text commits or rolls back the transaction it runs
	// in: false in doubt.
	EndsTx bool
}
