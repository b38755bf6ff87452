package dml

import (
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Args collects the arguments of statements, one after the other.
type Args struct {
	List   []any // those that were added
	taken  int   // of the list: by statements before
	Arrays bool  // lists are kept as arrays
	Refs   bool  // pointers to values will do
	Err    error // the first that adding one gave
}

// Room makes room for a statement of n arguments, and for others behind it.
func (a *Args) Room(n, others int) {
	if cap(a.List)-len(a.List) < n {
		a.List, a.taken = make([]any, 0, max(n, min(n*others, 512))), 0
	}
}

// Take returns the arguments of a statement.
func (a *Args) Take() []any {
	out := a.List[a.taken:len(a.List):len(a.List)]
	a.taken = len(a.List)
	return out
}

// Add adds the values of columns of an object.
func (a *Args) Add(obj memory.Pointer, cols ...*mapping.Column) {
	for _, c := range cols {
		v, err := a.of(obj, c)
		if err != nil && a.Err == nil {
			a.Err = err
		}
		a.List = append(a.List, v)
	}
}

func (a *Args) of(obj memory.Pointer, c *mapping.Column) (any, error) {
	if a.Refs {
		return c.Ref(obj)
	}
	return c.Value(obj, a.Arrays)
}

// AddAt adds the values of the columns of a table at these places.
func (a *Args) AddAt(obj memory.Pointer, t *mapping.Table, cols []int) {
	for _, i := range cols {
		a.Add(obj, t.Columns[i])
	}
}

// AddRow adds what finds a row: its key and version as they were read.
func (a *Args) AddRow(t *mapping.Table, snapshot memory.Pointer) {
	a.Add(snapshot, t.Key...)
	if t.Version != nil {
		a.Add(snapshot, t.Version)
	}
}

// HasArrays reports whether lists are kept as arrays.
func HasArrays(d *engine.Dialect) bool { return d.NativeScan }
