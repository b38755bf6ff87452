package sqltext

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strconv"
)

// writer writes a statement anew, with placeholders of its dialect.
type writer struct {
	t       *Template
	out     []byte
	written int // of the source
}

// render writes the text with one placeholder for each parameter.
func (f *finder) render() {
	w := writer{t: &f.Template, out: make([]byte, 0, len(f.source)+8)}
	for _, s := range f.sites {
		w.begin(s)
		if s.arg != escape {
			w.placeholder(s.arg)
		}
		w.end(s)
	}
	if f.text = w.finish(); f.text == f.source {
		f.text = f.source
	}
}

// begin writes what stands before a site.
func (w *writer) begin(s site) {
	w.out = append(w.out, w.t.source[w.written:s.start]...)
	w.written = s.end
	switch {
	case s.arg == escape:
		w.out = append(w.out, '?')
	case s.joins && w.t.dialect == PostgreSQL:
		w.out = append(w.out, ' ')
	}
}

// end keeps apart a placeholder and a word or number behind it.
func (w *writer) end(s site) {
	if s.arg != escape && s.end < len(w.t.source) && isWord(w.t.source[s.end]) && !w.native(s) {
		w.out = append(w.out, ' ')
	}
}

// native reports whether a placeholder is written as it was.
func (w *writer) native(s site) bool {
	if w.t.dialect == PostgreSQL {
		return w.t.source[s.start] == '$'
	}
	return w.t.source[s.start:s.end] == "?"
}

func (w *writer) placeholder(arg int) {
	if w.t.dialect != PostgreSQL {
		w.out = append(w.out, '?')
		return
	}
	w.out = strconv.AppendInt(append(w.out, '$'), int64(arg)+1, 10)
}

func (w *writer) finish() string {
	return string(append(w.out, w.t.source[w.written:]...))
}

// hasList reports whether an argument is a list and stands where one may.
func (t *Template) hasList(args []any) bool {
	for _, s := range t.sites {
		if s.place != single && isList(args[s.arg]) {
			return true
		}
	}
	return false
}

// isList reports whether a value is a slice that IN takes apart.
func isList(v any) bool {
	switch v.(type) {
	case nil, string, int, int64, bool, float64, []byte, driver.Valuer:
		return false
	}
	t := reflect.TypeOf(v)
	return t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8
}

// expand writes the text for arguments of which some are lists.
func (t *Template) expand(args []any) (text string, bound []any, err error) {
	e := expander{
		writer: writer{t: t, out: make([]byte, 0, len(t.source)+64)},
		args:   args, bound: make([]any, 0, len(args)+8), whole: make([]int, len(args)), lists: make([]int, len(args)),
	}
	for _, s := range t.sites {
		e.begin(s)
		switch {
		case s.arg == escape:
		case s.place != single && isList(args[s.arg]):
			if err := e.list(s); err != nil {
				return "", nil, err
			}
		default:
			e.value(s.arg)
		}
		e.end(s)
	}
	return e.finish(), e.bound, nil
}

// expander is a writer that numbers the placeholders anew.
type expander struct {
	writer

	args  []any
	bound []any
	whole []int // by argument: the number of its placeholder, or 0
	lists []int // by argument: the number of its first element's, or 0
}

// value writes the placeholder of a whole argument. PostgreSQL gets it once,
// however often it is named: then the types that it is used with must agree,
// as the writer of the text meant it.
func (e *expander) value(arg int) {
	n := e.whole[arg]
	if n == 0 || e.t.dialect != PostgreSQL {
		e.bound = append(e.bound, e.args[arg])
		n = len(e.bound)
		e.whole[arg] = n
	}
	e.placeholder(n - 1)
}

// list writes a placeholder for each element of an argument.
func (e *expander) list(s site) error {
	list := reflect.ValueOf(e.args[s.arg])
	if list.Len() == 0 {
		return fmt.Errorf("parameter %s: %w", e.t.name(s.arg), ErrEmptyList)
	}
	first := e.lists[s.arg]
	if first == 0 || e.t.dialect != PostgreSQL {
		first = len(e.bound) + 1
		e.lists[s.arg] = first
		for i := range list.Len() {
			e.bound = append(e.bound, list.Index(i).Interface())
		}
	}
	if s.place == bare {
		e.out = append(e.out, '(')
	}
	for i := range list.Len() {
		if i > 0 {
			e.out = append(e.out, ", "...)
		}
		e.placeholder(first - 1 + i)
	}
	if s.place == bare {
		e.out = append(e.out, ')')
	}
	return nil
}
