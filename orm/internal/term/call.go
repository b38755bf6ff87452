package term

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Call is a function with its arguments.
type Call struct {
	Name     string // the function's
	Distinct bool   // of an aggregate: equal values count once
	Args     []Node // the arguments
}

func (c *Call) write(w *Writer) {
	if !isName(c.Name) {
		w.fail("%q is no name of a function: use expr.SQL", c.Name)
		return
	}
	w.Raw(c.Name, "(")
	if c.Distinct {
		w.Raw("DISTINCT ")
	}
	w.list(c.Args)
	w.Raw(")")
}

// list appends nodes separated by commas.
func (w *Writer) list(nodes []Node) {
	for i, n := range nodes {
		if i > 0 {
			w.Raw(", ")
		}
		w.Node(n)
	}
}

func isName(name string) bool {
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// Star is what count(*) counts.
type Star struct{}

func (Star) write(w *Writer) { w.Raw("*") }

// Arith is an operator between two numbers.
type Arith struct {
	Left    Node // what stands before it
	Op      byte // + - * / %
	Right   Node // what stands behind it
	Integer bool // both are integers, and so is their quotient
}

func (a *Arith) write(w *Writer) {
	op := string(a.Op)
	if a.Op == '/' && a.Integer && w.isMySQL() {
		op = "DIV"
	}
	left, right := a.Left, a.Right
	if _, both := left.(*Typed); !both { // the database knows one's type of the other's
		right = untyped(right)
	} else if _, both := right.(*Typed); !both {
		left = untyped(left)
	}
	w.Raw("(")
	w.nested(left)
	w.blank(op)
	w.nested(right)
	w.Raw(")")
}

func untyped(n Node) Node {
	if t, ok := n.(*Typed); ok {
		return &Value{t.V}
	}
	return n
}

// Joined is texts one behind the other.
type Joined struct {
	Of []Node // the texts
}

func (j *Joined) write(w *Writer) {
	if w.isMySQL() {
		(&Call{Name: "concat", Args: j.Of}).write(w)
		return
	}
	w.Raw("(")
	for i, n := range j.Of {
		if i > 0 {
			w.Raw(" || ")
		}
		w.nested(n)
	}
	w.Raw(")")
}

// Cast is an expression as another type.
type Cast struct {
	Of Node   // the expression
	As string // SQL's name of the type
}

func (c *Cast) write(w *Writer) {
	if strings.Trim(c.As, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ (),[].") != "" || c.As == "" {
		w.fail("%q is no type of SQL", c.As)
		return
	}
	w.Raw("CAST(")
	w.Node(untyped(c.Of))
	w.Raw(" AS ", c.As, ")")
}

// Case is the value of the first condition that holds.
type Case struct {
	When []Branch // in order
	Else Node     // if none does
}

// Branch is a condition of a [Case].
type Branch struct {
	If   Condition // the condition
	Then Node      // the value
}

func (c *Case) write(w *Writer) {
	w.Raw("CASE")
	for _, b := range c.When {
		w.Raw(" WHEN ")
		w.Node(b.If)
		w.Raw(" THEN ")
		w.Node(b.Then)
	}
	w.Raw(" ELSE ")
	w.Node(c.Else)
	w.Raw(" END")
}

// Is is an expression that is true or false by itself.
type Is struct {
	Of Node // the expression
}

func (i *Is) condition() {}

func (i *Is) write(w *Writer) { w.nested(i.Of) }

// Template is SQL text in which nodes stand for question marks.
type Template struct {
	Text string // the text
	Args []Node // what stands for them
}

func (t *Template) write(w *Writer) {
	n, text := 0, t.Text
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				w.fail("%q: a quote is not closed", text)
				return
			}
			w.Raw(text[i : i+end+2])
			i += end + 1
		case c == '?' && strings.HasPrefix(text[i:], "??"):
			w.Raw("?")
			i++
		case c == '?':
			if n++; n <= len(t.Args) {
				w.nested(t.Args[n-1])
			}
		default:
			w.buf = append(w.buf, c)
		}
	}
	if n != len(t.Args) {
		w.fail("%q: %d arguments for %d question marks", text, len(t.Args), n)
	}
}

// Path is a value inside a JSON document.
type Path struct {
	Of   Node         // the document
	Path []any        // keys and indices
	Type reflect.Type // of the value
}

func (p *Path) write(w *Writer) {
	if len(p.Path) == 0 {
		w.fail("a path into JSON has no parts")
		return
	}
	if w.isPostgres() {
		p.postgres(w)
		return
	}
	path := p.steps(w)
	if w.isSQLite() {
		w.Raw("json_extract(")
		w.Node(p.Of)
		w.Raw(", '", path, "')")
		return
	}
	as := map[string]string{"bigint": "SIGNED", "numeric": "UNSIGNED", "double precision": "DOUBLE"}[typeOf(p.Type)]
	if as != "" {
		w.Raw("CAST(")
	}
	w.Raw("JSON_UNQUOTE(JSON_EXTRACT(")
	w.Node(p.Of)
	w.Raw(", '", path, "'))")
	if as != "" {
		w.Raw(" AS ", as, ")")
	}
}

// steps is the path in the form of SQLite and MariaDB.
func (p *Path) steps(w *Writer) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, step := range p.Path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		case string:
			if strings.ContainsAny(s, "\"\\'") {
				w.fail("the key %q of a path into JSON has a quote", s)
			}
			b.WriteString(`."` + s + `"`)
		default:
			w.fail("a path into JSON has strings and ints, and no %T", step)
		}
	}
	return b.String()
}

func (p *Path) postgres(w *Writer) {
	w.Raw("(")
	w.Node(p.Of)
	for i, step := range p.Path {
		arrow := " -> "
		if i == len(p.Path)-1 {
			arrow = " ->> "
		}
		switch s := step.(type) {
		case int:
			w.Raw(arrow, fmt.Sprint(s))
		case string:
			w.Raw(arrow, "'", strings.ReplaceAll(s, "'", "''"), "'")
		default:
			w.fail("a path into JSON has strings and ints, and no %T", step)
		}
	}
	w.Raw(")")
	if name := typeOf(p.Type); name != "text" && name != "" {
		w.Raw("::", name)
	}
}

// Array is a condition about an array of PostgreSQL.
type Array struct {
	Of    Node   // the array
	Op    string // ANY, or an operator
	Value any    // the element, or a list
}

func (a *Array) condition() {}

func (a *Array) write(w *Writer) {
	c := w.columnOf(a.Of)
	if !w.isPostgres() || c != nil && !c.Array {
		w.fail("a condition about an array, which the column is on PostgreSQL alone, without the option json: %w", errors.ErrUnsupported)
		return
	}
	if a.Op == "ANY" {
		w.value(nil, a.Value)
		w.Raw(" = ANY(")
		w.Node(a.Of)
		w.Raw(")")
		return
	}
	w.nested(a.Of)
	w.blank(a.Op)
	w.value(c, a.Value)
}

// Sub is a query inside another one.
type Sub struct {
	Body func(w *Writer) // writes it, after [Writer.Open]
}

func (s *Sub) write(w *Writer) {
	w.Raw("(")
	s.Body(w)
	w.Raw(")")
}

// Exists is true if a query has rows.
type Exists struct {
	Of *Sub // the query
}

func (e *Exists) condition() {}

func (e *Exists) write(w *Writer) {
	w.Raw("EXISTS ")
	w.Node(e.Of)
}

// Among is an expression that is one of the values of a query.
type Among struct {
	Of  Node // the expression
	Sub *Sub // the query
	Not bool // it is none of them
}

func (a *Among) condition() {}

func (a *Among) write(w *Writer) {
	w.nested(a.Of)
	w.Raw(map[bool]string{false: " IN ", true: " NOT IN "}[a.Not])
	w.Node(a.Sub)
}
