package expr

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Number are the types that can be added.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Add returns a + b. It overflows as the database does.
func Add[T Number](a, b Expr[T]) Expr[T] { return arith(a, '+', b) }

// Sub returns a - b.
func Sub[T Number](a, b Expr[T]) Expr[T] { return arith(a, '-', b) }

// Mul returns a * b.
func Mul[T Number](a, b Expr[T]) Expr[T] { return arith(a, '*', b) }

// Div returns a / b, which of integers is an integer, as in Go. Division by
// zero is an error in PostgreSQL, and NULL elsewhere.
func Div[T Number](a, b Expr[T]) Expr[T] { return arith(a, '/', b) }

// Mod returns the remainder of a / b, with the sign of a, as in Go. A remainder
// by zero is an error in PostgreSQL, and NULL elsewhere.
func Mod[T Number](a, b Expr[T]) Expr[T] { return arith(a, '%', b) }

func arith[T Number](a Expr[T], op byte, b Expr[T]) Expr[T] {
	kind := reflect.TypeFor[T]().Kind()
	return Expr[T]{&term.Arith{Left: a.node, Op: op, Right: b.node, Integer: kind >= reflect.Int && kind <= reflect.Uint64}}
}

// Count counts rows.
func Count() Expr[int64] {
	return Expr[int64]{&term.Call{Name: "count", Args: []term.Node{term.Star{}}}}
}

// Sum returns the sum of a field; NULL if there are no rows: see [Coalesce] and
// [Nullable].
func Sum[T Number](field *T) Expr[T] { return Of(field).Sum() }

// Avg returns the average of a field; NULL if there are no rows.
func Avg[T Number](field *T) Expr[float64] { return Of(field).Avg() }

// Min returns the least value of a field; NULL if there are no rows.
func Min[T any](field *T) Expr[T] { return Of(field).Min() }

// Max returns the greatest value of a field; NULL if there are no rows.
func Max[T any](field *T) Expr[T] { return Of(field).Max() }

func aggregate[R any](name string, of term.Node, distinct bool) Expr[R] {
	return Expr[R]{&term.Call{Name: name, Distinct: distinct, Args: []term.Node{of}}}
}

// Sum is [Sum] of an expression, which must be a number.
func (e Expr[T]) Sum() Expr[T] { return aggregate[T]("sum", e.node, false) }

// Avg is [Avg] of an expression, which must be a number.
func (e Expr[T]) Avg() Expr[float64] { return aggregate[float64]("avg", e.node, false) }

// Min is [Min] of an expression.
func (e Expr[T]) Min() Expr[T] { return aggregate[T]("min", e.node, false) }

// Max is [Max] of an expression.
func (e Expr[T]) Max() Expr[T] { return aggregate[T]("max", e.node, false) }

// Count counts the rows where the expression is not NULL.
func (e Expr[T]) Count() Expr[int64] { return aggregate[int64]("count", e.node, false) }

// CountDistinct counts the distinct values of an expression, NULL excepted.
func (e Expr[T]) CountDistinct() Expr[int64] { return aggregate[int64]("count", e.node, true) }
