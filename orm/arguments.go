package orm

import (
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// arguments collects the arguments of statements, one after the other.
type arguments struct {
	list   []any
	taken  int // of the list: by statements before
	arrays bool
	refs   bool // pointers to values will do
	err    error
}

// room makes room for a statement of n arguments, and for others behind it.
func (a *arguments) room(n, others int) {
	if cap(a.list)-len(a.list) < n {
		a.list, a.taken = make([]any, 0, max(n, min(n*others, 512))), 0
	}
}

// take returns the arguments of a statement.
func (a *arguments) take() []any {
	out := a.list[a.taken:len(a.list):len(a.list)]
	a.taken = len(a.list)
	return out
}

func (a *arguments) add(obj unsafe.Pointer, cols ...*mapping.Column) {
	for _, c := range cols {
		v, err := a.of(obj, c)
		if err != nil && a.err == nil {
			a.err = err
		}
		a.list = append(a.list, v)
	}
}

func (a *arguments) of(obj unsafe.Pointer, c *mapping.Column) (any, error) {
	if a.refs {
		return c.Ref(obj)
	}
	return c.Value(obj, a.arrays)
}

func (a *arguments) addAt(obj unsafe.Pointer, t *mapping.Table, cols []int) {
	for _, i := range cols {
		a.add(obj, t.Columns[i])
	}
}

// row adds what finds a row: its key and version as they were read.
func (a *arguments) row(t *mapping.Table, snapshot unsafe.Pointer) {
	a.add(snapshot, t.Key...)
	if t.Version != nil {
		a.add(snapshot, t.Version)
	}
}

// hasArrays reports whether lists are kept as arrays.
func hasArrays(d *engine.Dialect) bool { return d.NativeScan }
