package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// A Statement is anything that can be written in a database's SQL: a [Text], a
// query of package orm, or a query builder's output, by [From].
type Statement interface {
	// Render returns the statement in the dialect's syntax, with its arguments
	// in the order of its placeholders. It is safe for concurrent use.
	Render(d *Dialect) (text string, args []any, err error)
}

// An Executor runs statements: an [Engine], each in a transaction of its own;
// a [Conn] or a [Tx], in the transaction that is open on the connection.
type Executor interface {
	// Execute runs a statement and buffers its result.
	Execute(ctx context.Context, st Statement) (*Result, error)
	// ExecuteMany runs a statement once for each set of arguments, sent as one
	// batch if the database supports it. The result counts the rows affected by
	// all of them, and has the rows that all of them returned, in order. Either
	// all of it is done or nothing, unless the connection is in autocommit
	// mode.
	ExecuteMany(ctx context.Context, st *TextStatement, sets ...[]any) (*Result, error)
	// ExecuteBatch runs statements in order, sent as one batch if the database
	// supports it, and returns a result for each. If one fails, the error wraps
	// a [BatchError], and the results of the statements before it are returned.
	ExecuteBatch(ctx context.Context, sts ...Statement) ([]*Result, error)
	// Stream runs a statement and holds one window of its rows in memory.
	Stream(ctx context.Context, st Statement, opts ...StreamOption) (*Stream, error)
	// Query runs a statement and leaves its result open as the driver returns
	// it. Closing the cursor early may mean reading the rest of the result: see
	// Stream.
	Query(ctx context.Context, st Statement) (Cursor, error)
	// Dialect describes the database.
	Dialect() *Dialect
}

// bind renders a statement and finds out what it does.
func bind(d *Dialect, st Statement) (backend.BoundStatement, error) { return bindAfter(d, st, nil) }

// bindAll binds statements. If one can't be rendered, the error is a
// [BatchError].
func bindAll(d *Dialect, sts []Statement) ([]backend.BoundStatement, error) {
	qs := make([]backend.BoundStatement, len(sts))
	var before *backend.BoundStatement
	for i, st := range sts {
		q, err := bindAfter(d, st, before)
		if err != nil {
			return nil, &BatchError{Index: i, Err: err}
		}
		qs[i] = q
		before = &qs[i]
	}
	return qs, nil
}

// bindAfter is bind for a statement that follows another one, or nil.
// Statements with the same SQL text do the same: this saves reading again a
// text too long to be cached, such as an INSERT of many rows.
func bindAfter(d *Dialect, st Statement, before *backend.BoundStatement) (backend.BoundStatement, error) {
	if st == nil {
		return backend.BoundStatement{}, fmt.Errorf("engine: render: the statement is nil")
	}
	text, args, err := st.Render(d)
	if err != nil {
		return backend.BoundStatement{}, fmt.Errorf("engine: render: %w", err)
	}
	if before != nil && before.Text == text {
		q := *before
		q.Args = args
		return q, nil
	}
	v := verbOf(sqltext.DialectOf(string(d.System)), text)
	return backend.BoundStatement{Text: text, Args: args, Rows: v.rows, ReadOnly: v.readOnly, Cursor: v.cursor, Inserts: v.inserts, Data: v.data, EndsTx: v.endsTx}, nil
}

// verb is what the SQL text of a statement shows about what it does.
type verb struct {
	rows     bool // it returns rows
	readOnly bool // it changes nothing, for certain
	cursor   bool // it can be declared as a cursor
	inserts  bool // it is an INSERT or REPLACE
	data     bool // it reads or changes rows, and nothing else
	endsTx   bool // it commits or rolls back, for certain
}

// verbs caches the verbs of SQL texts.
var verbs = sqltext.NewCache[verb](0, 0)

// verbOf returns the verb of a SQL text.
func verbOf(d sqltext.Dialect, text string) verb {
	if v, ok := verbs.Get(d, text); ok {
		return v
	}
	v := readVerb(d, text)
	v.endsTx = sqltext.EndsTx(d, text)
	verbs.Put(d, text, v)
	return v
}

// readVerb finds the statement's main word: its first, or the one after the
// common table expressions of WITH. If the text holds several statements, it
// returns rows if any of them does.
func readVerb(d sqltext.Dialect, text string) verb {
	out := verb{readOnly: true, cursor: true}
	several := sqltext.Split(d, text)
	for _, s := range several {
		v := readOne(d, s)
		out.rows = out.rows || v.rows
		out.readOnly = out.readOnly && v.readOnly
		out.cursor = out.cursor && v.cursor
		out.data = v.data
		out.inserts = v.inserts // of the last one
	}
	if len(several) != 1 {
		out.cursor, out.readOnly, out.data = false, false, false
	}
	return out
}

func readOne(d sqltext.Dialect, text string) verb {
	lexer := sqltext.NewLexer(d, text)
	r := verbReader{}
	for {
		t, ok := lexer.Next()
		if !ok {
			return r.verb()
		}
		switch raw := text[t.Start:t.End]; {
		case raw == "(":
			r.depth++
		case raw == ")":
			r.depth--
		case t.Kind == sqltext.Word && !calls(text[t.End:]):
			r.word(strings.ToLower(raw))
		}
	}
}

// calls reports whether a bracket follows, which means that the word before it
// is a function: REPLACE and INSERT are functions too.
func calls(rest string) bool { return strings.HasPrefix(rest, "(") }

// verbReader reads the words of one statement.
type verbReader struct {
	depth     int    // of brackets
	main      string // the statement's main word, as far as it was read
	changing  bool   // a word of change was read
	returning bool   // RETURNING was read as a clause of the statement
}

func (r *verbReader) word(word string) {
	changing := changes(word)
	r.changing = r.changing || changing
	switch {
	case r.main == "":
		r.main = word
	case r.depth > 0:
		// Inside of brackets, RETURNING is that of a common table expression.
	case r.main == "with" && (changing || word == "select" || word == "values" || word == "table"):
		r.main = word
	case word == "returning" && changes(r.main):
		r.returning = true
	}
}

func (r *verbReader) verb() verb {
	switch r.main {
	case "select", "values", "table", "with":
		return verb{rows: true, readOnly: !r.changing, cursor: !r.changing, data: true}
	case "insert", "replace":
		return verb{rows: r.returning, inserts: true, data: true}
	case "update", "delete", "merge":
		return verb{rows: r.returning, data: true}
	case "show", "explain", "describe", "desc":
		return verb{rows: true, readOnly: !r.changing}
	case "pragma", "call", "execute", "fetch", "analyze", "check", "checksum", "optimize", "repair":
		return verb{rows: true}
	}
	return verb{}
}

// changes reports whether a word implies a change: as the verb of a statement,
// in a locking clause, or as the target of SELECT INTO.
func changes(word string) bool {
	switch word {
	case "insert", "update", "delete", "replace", "merge", "into", "share":
		return true
	}
	return false
}
