package expr

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// JSON returns the value at a path inside a JSON column, of type T: strings are
// keys of objects, ints indices of arrays. A missing value is NULL.
//
//	expr.JSON[string](&u.Settings, "theme", "color").Eq("red")
func JSON[T, F any](field *F, path ...any) Expr[T] {
	return Expr[T]{&term.Path{Of: new(columnOf(field)), Path: path, Type: reflect.TypeFor[T]()}}
}

// HasElement says that a list has an element. The column must be an array,
// which only PostgreSQL has; elsewhere the error matches
// [errors.ErrUnsupported].
func HasElement[T any](field *[]T, v T) Cond { return array(field, "ANY", v) }

// HasAll says that a list has all of these elements; see [HasElement].
func HasAll[T any](field *[]T, values ...T) Cond { return array(field, "@>", append([]T{}, values...)) }

// HasAny says that a list has one of these elements; see [HasElement].
func HasAny[T any](field *[]T, values ...T) Cond { return array(field, "&&", append([]T{}, values...)) }

func array[T any](field *[]T, op string, v any) Cond {
	return &term.Array{Of: new(columnOf(field)), Op: op, Value: v}
}
