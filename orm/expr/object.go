package expr

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Object returns a row of a query as a whole, for what is selected: its values are
// the session's objects. That of an outer join without a matching row is nil.
func Object[T any](row *T) Expr[*T] {
	return Expr[*T]{&term.Object{Row: memory.Pointer(row), Type: reflect.TypeFor[T]()}}
}
