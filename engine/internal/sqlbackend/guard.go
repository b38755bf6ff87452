package sqlbackend

import (
	"database/sql"
	"errors"
)

// guards let the panic of a Scanner pass by Rows.Scan: database/sql holds a
// lock there that it would not give back, and Close would wait for it for ever.
type guards struct {
	dest []any // what is handed to Rows.Scan
	all  []guard
}

// around returns dest with a guard before each Scanner. It is valid until the
// next call.
func (g *guards) around(dest []any) []any {
	guarded := false
	for i, d := range dest {
		s, ok := d.(sql.Scanner)
		if !ok {
			continue
		}
		if !guarded {
			guarded = true
			g.dest = append(g.dest[:0], dest...)
			if len(g.all) < len(dest) {
				g.all = make([]guard, len(dest))
			}
		}
		g.all[i].to = s
		g.dest[i] = &g.all[i]
	}
	if !guarded {
		return dest
	}
	return g.dest
}

// raise goes on with a panic that was held back.
func (g *guards) raise() {
	for i := range g.all {
		if held := &g.all[i]; held.panicked {
			held.panicked = false
			panic(held.value)
		}
	}
}

// guard is a Scanner that does not panic.
type guard struct {
	to       sql.Scanner
	value    any
	panicked bool
}

// errPanicked is not seen: the panic goes on instead.
var errPanicked = errors.New("the Scanner panicked")

// Scan implements [sql.Scanner].
func (g *guard) Scan(v any) (err error) {
	returned := false
	defer func() {
		if !returned {
			g.value = recover()
			g.panicked = g.value != nil // it is nil if Scan ends its goroutine
			err = errPanicked
		}
	}()
	err = g.to.Scan(v)
	returned = true
	return err
}
