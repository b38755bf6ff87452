package engine

// TextStatement is a statement in SQL. It is immutable and safe for concurrent
// use.
type TextStatement struct {
	text string
	args []any
}

// Text returns a statement of SQL text with its arguments.
func Text(text string, args ...any) *TextStatement {
	return &TextStatement{text: text, args: args}
}

// With returns the same text with other arguments.
func (t *TextStatement) With(args ...any) *TextStatement {
	return &TextStatement{text: t.text, args: args}
}

// String returns the text, without arguments.
func (t *TextStatement) String() string { return t.text }

// Render implements [Statement].
func (t *TextStatement) Render(*Dialect) (string, []any, error) { return t.text, t.args, nil }
