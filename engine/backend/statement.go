package backend

// BoundStatement is a statement ready to be sent: in the database's own syntax, with
// its arguments in order.
type BoundStatement struct {
	// Text is the SQL text.
	Text string
	// Args are the arguments of its placeholders.
	Args []any
	// Rows says that the statement returns rows, judged by its SQL text.
	Rows bool
	// ReadOnly says that the statement changes nothing, judged by its SQL text:
	// false in doubt.
	ReadOnly bool
	// Cursor says that a cursor can be declared for the statement, judged by
	// its SQL text: false in doubt.
	Cursor bool
	// Inserts says that the statement is an INSERT or REPLACE, which may
	// generate a key.
	Inserts bool
	// Data says that the statement reads or changes rows and does nothing else,
	// so that its meaning does not depend on whether it runs before or after
	// other such statements.
	Data bool
	// EndsTx says that the SQL text commits or rolls back the transaction it
	// runs in: false in doubt.
	EndsTx bool
}
