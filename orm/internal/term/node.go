// Package term is what typed conditions and expressions consist of, and how they
// are written in the SQL of a dialect.
package term

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/internal/memory"
)

// Node is a part of a statement: an expression or a condition.
type Node interface {
	// write appends the node to a statement.
	write(w *Writer)
}

// Condition is a node that is true, false or NULL.
type Condition interface {
	Node
	condition()
}

// Operand is an expression with its type erased.
type Operand interface {
	// Term returns the expression.
	Term() Node
}

// Column is the column of a field, by a pointer to the field in one of the
// query's rows.
type Column struct {
	Field memory.Pointer // in a row
	Type  reflect.Type   // what it points to
}

func (c *Column) write(w *Writer) {
	if f := w.find(c.Field, c.Type); f.column != nil {
		w.column(f)
	}
}

// Value is a parameter.
type Value struct {
	V any // its value
}

func (v *Value) write(w *Writer) { w.value(nil, v.V) }

// Typed is a parameter where the database can't tell its type from what is
// around it.
type Typed struct {
	V    any          // its value
	Type reflect.Type // its type in Go
}

func (v *Typed) write(w *Writer) {
	w.value(nil, v.V)
	w.castParameter(v.Type)
}

// Compare is a field beside a value.
type Compare struct {
	Column
	Op    string // =, <>, <, <=, >, >=
	Value any    // the value
}

func (c *Compare) condition() {}

func (c *Compare) write(w *Writer) {
	f := w.find(c.Field, c.Type)
	if f.column == nil {
		return
	}
	w.column(f)
	if IsNull(c.Value) && w.null(c.Op) {
		return
	}
	w.blank(c.Op)
	w.value(f.column, c.Value)
}

// Binary is an operator between two expressions.
type Binary struct {
	Left  Node   // what stands before it
	Op    string // the operator
	Right Node   // what stands behind it
}

func (b *Binary) condition() {}

func (b *Binary) write(w *Writer) {
	w.nested(b.Left)
	if v, ok := b.Right.(*Value); ok {
		if IsNull(v.V) && w.null(b.Op) {
			return
		}
		w.blank(b.Op)
		w.value(w.columnOf(b.Left), v.V)
		return
	}
	w.blank(b.Op)
	w.nested(b.Right)
}

// Unary is an expression with a word behind it: IS NULL.
type Unary struct {
	Of   Node   // the expression
	Word string // the word
}

func (u *Unary) condition() {}

func (u *Unary) write(w *Writer) {
	w.nested(u.Of)
	w.Raw(" ", u.Word)
}

// Between is an expression in a range that contains its ends.
type Between struct {
	Of     Node // the expression
	Lo, Hi any  // the ends
}

func (b *Between) condition() {}

func (b *Between) write(w *Writer) {
	w.nested(b.Of)
	c := w.columnOf(b.Of)
	w.Raw(" BETWEEN ")
	w.value(c, b.Lo)
	w.Raw(" AND ")
	w.value(c, b.Hi)
}

// In is an expression that is one of some values; nil among them means NULL.
type In struct {
	Of     Node  // the expression
	Values []any // the values
	Not    bool  // it is none of them
}

func (i *In) condition() {}

func (i *In) write(w *Writer) {
	values := make([]any, 0, len(i.Values))
	for _, v := range i.Values {
		if !IsNull(v) {
			values = append(values, v)
		}
	}
	null := len(values) < len(i.Values)
	switch {
	case len(values) == 0 && !null && i.Not:
		w.Raw("1 = 1") // NULL is not among no values either
	case len(values) == 0 && !null:
		w.Raw("1 = 0")
	case len(values) == 0:
		w.nested(i.Of)
		w.Raw(map[bool]string{false: " IS NULL", true: " IS NOT NULL"}[i.Not])
	case null:
		w.Raw("(")
		i.list(w, values)
		w.Raw(map[bool]string{false: " OR ", true: " AND "}[i.Not])
		w.nested(i.Of)
		w.Raw(map[bool]string{false: " IS NULL)", true: " IS NOT NULL)"}[i.Not])
	default:
		i.list(w, values)
	}
}

func (i *In) list(w *Writer, values []any) {
	w.nested(i.Of)
	if i.Not {
		w.Raw(" NOT")
	}
	w.Raw(" IN (")
	c := w.columnOf(i.Of)
	for n, v := range values {
		if n > 0 {
			w.Raw(", ")
		}
		w.value(c, v)
	}
	w.Raw(")")
}

// Like is a text that matches a pattern.
type Like struct {
	Of      Node   // the text
	Pattern string // the pattern
	Escape  rune   // 0: the database's own
	Fold    bool   // letters match in either case
}

func (l *Like) condition() {}

func (l *Like) write(w *Writer) {
	left, right := "", ""
	if l.Fold {
		left, right = "lower(", ")"
	}
	w.Raw(left)
	w.nested(l.Of)
	w.Raw(right, " LIKE ", left)
	w.value(nil, l.Pattern)
	w.Raw(right)
	switch {
	case l.Escape == 0:
	case l.Escape < '!' || l.Escape > '~' || l.Escape == '\'' || l.Escape == '\\':
		w.fail("the escape character %q of LIKE: want a mark such as '/' or '!'", l.Escape)
	default:
		w.Raw(" ESCAPE '", string(l.Escape), "'")
	}
}

// Differs is an expression that is not a value, NULL being a value too.
type Differs struct {
	Of    Node // the expression
	Value any  // the value
}

func (d *Differs) condition() {}

func (d *Differs) write(w *Writer) {
	left, word, right := "", " IS DISTINCT FROM ", ""
	switch {
	case w.isMySQL():
		left, word, right = "NOT (", " <=> ", ")"
	case w.isSQLite():
		word = " IS NOT "
	}
	w.Raw(left)
	w.nested(d.Of)
	w.Raw(word)
	w.value(w.columnOf(d.Of), d.Value)
	w.Raw(right)
}
