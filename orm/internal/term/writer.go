package term

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Writer writes a statement. It is got from [Writing] and used once.
type Writer struct {
	d       *engine.Dialect
	buf     []byte
	args    []any
	n       int // parameters in buf
	rows    []Row
	qualify bool               // columns have the names of their tables
	parts   []engine.Statement // what was written before buf, if there is text of a user
	err     error
}

var writers = sync.Pool{New: func() any { return &Writer{} }}

// Writing returns a writer of a statement.
func Writing(d *engine.Dialect) *Writer {
	w := writers.Get().(*Writer)
	w.d = d
	return w
}

// Done returns the statement, and gives the writer back.
func (w *Writer) Done() (text string, args []any, err error) {
	text, args, err = "", w.args, w.err
	if err == nil && w.parts == nil {
		text = kept(w.buf)
	} else if err == nil {
		w.cut()
		text, args, err = engine.Concat(w.parts...).Render(w.d)
	}
	clear(w.rows[:cap(w.rows)])
	*w = Writer{buf: w.buf[:0], rows: w.rows[:0]}
	writers.Put(w)
	return text, args, err
}

// texts are the texts that were written, each made once: a query of the same
// shape has the same text.
var texts = struct {
	sync.RWMutex
	made map[string]string
}{made: map[string]string{}}

// manyTexts is how many texts are kept. A program has fewer shapes, unless its
// lists in IN have very many lengths.
const manyTexts = 4096

func kept(buf []byte) string {
	texts.RLock()
	text, ok := texts.made[string(buf)]
	texts.RUnlock()
	if ok {
		return text
	}
	text = string(buf)
	texts.Lock()
	defer texts.Unlock()
	if len(texts.made) >= manyTexts {
		clear(texts.made)
	}
	texts.made[text] = text
	return text
}

// Raw appends text in the database's own syntax.
func (w *Writer) Raw(texts ...string) {
	for _, t := range texts {
		w.buf = append(w.buf, t...)
	}
}

// blank appends a word with blanks around it.
func (w *Writer) blank(word string) { w.Raw(" ", word, " ") }

// Text appends what a user wrote, whose parameters are its own.
func (w *Writer) Text(st engine.Statement) {
	w.cut()
	w.parts = append(w.parts, st)
}

// cut ends a part.
func (w *Writer) cut() {
	if len(w.buf) > 0 {
		w.parts = append(w.parts, &dml.Bound{Text: string(w.buf), Args: w.args})
		w.buf, w.args, w.n = w.buf[:0], nil, 0
	}
}

// Node appends a node.
func (w *Writer) Node(n Node) { n.write(w) }

// Dialect is the one that is written.
func (w *Writer) Dialect() *engine.Dialect { return w.d }

// Nested appends a condition beside others.
func (w *Writer) Nested(c Condition) {
	if _, ok := c.(*Junction); !ok {
		w.Node(c)
		return
	}
	w.nested(c)
}

// nested appends a node as an operand of another one.
func (w *Writer) nested(n Node) {
	switch n.(type) {
	case *Junction, *Binary, *Between, *Unary, *Like, *Template, *Among, *Array, *Differs:
		w.Raw("(")
		n.write(w)
		w.Raw(")")
	default:
		n.write(w)
	}
}

// null appends the condition that what was written is NULL, or is not.
func (w *Writer) null(op string) bool {
	switch op {
	case "=":
		w.Raw(" IS NULL")
	case "<>":
		w.Raw(" IS NOT NULL")
	default:
		w.fail("a comparison %s NULL is never true", op)
	}
	return true
}

// value appends a parameter. Its value is converted as those of the column are,
// if it stands beside one.
func (w *Writer) value(c *mapping.Column, v any) {
	var err error
	if arrays := dml.HasArrays(w.d); c != nil {
		v, err = c.Argument(v, arrays)
	} else {
		v, err = argument(v, arrays)
	}
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("orm: %w", err)
	}
	w.n++
	w.buf = w.d.AppendPlaceholder(w.buf, w.n)
	w.args = append(w.args, v)
}

// castParameter tells PostgreSQL the type of a parameter: it wants to know it
// before it knows the value.
func (w *Writer) castParameter(t reflect.Type) {
	if !w.isPostgres() {
		return
	}
	if name := typeOf(t); name != "" {
		w.Raw("::", name)
	}
}

func (w *Writer) isMySQL() bool { return dml.IsMySQL(w.d) }

func (w *Writer) isPostgres() bool { return w.d.Placeholder == backend.Dollar }

func (w *Writer) isSQLite() bool { return !w.isMySQL() && !w.isPostgres() }

// Fail notes a mistake in the query.
func (w *Writer) Fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// fail notes a mistake in the query.
func (w *Writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("orm: select: "+format, args...)
	}
}
