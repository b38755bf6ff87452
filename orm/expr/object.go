package expr

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Object selects a row of a query as a whole: its values are the session's
// objects, nil for an outer join without a matching row.
func Object[T any](row *T) Expr[*T] {
	return Expr[*T]{&term.Object{Row: memory.Pointer(row), Type: reflect.TypeFor[T]()}}
}
