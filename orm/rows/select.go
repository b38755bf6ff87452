package rows

import (
	"fmt"
	"reflect"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
)

// Row2 is a row of two values.
type Row2[A, B any] struct {
	// A is the first.
	A A
	// B is the second.
	B B
}

// Row3 is a row of three values.
type Row3[A, B, C any] struct {
	// A is the first.
	A A
	// B is the second.
	B B
	// C is the third.
	C C
}

// Row4 is a row of four values.
type Row4[A, B, C, D any] struct {
	// A is the first.
	A A
	// B is the second.
	B B
	// C is the third.
	C C
	// D is the fourth.
	D D
}

// Select1 selects one value for each row of a query. Inside another query it is a
// list of values, or a value: see package expr.
func Select1[A, T any](q orm.Select[T], a expr.Expr[A]) Query[A] {
	return newQuery[A](q, partOf(a, 0))
}

// Select2 selects two values for each row of a query.
func Select2[A, B, T any](q orm.Select[T], a expr.Expr[A], b expr.Expr[B]) Query[Row2[A, B]] {
	var r Row2[A, B]
	return newQuery[Row2[A, B]](q, partOf(a, offset(&r, &r.A)), partOf(b, offset(&r, &r.B)))
}

// Select3 selects three values for each row of a query.
func Select3[A, B, C, T any](q orm.Select[T], a expr.Expr[A], b expr.Expr[B], c expr.Expr[C]) Query[Row3[A, B, C]] {
	var r Row3[A, B, C]
	return newQuery[Row3[A, B, C]](q, partOf(a, offset(&r, &r.A)), partOf(b, offset(&r, &r.B)), partOf(c, offset(&r, &r.C)))
}

// Select4 selects four values for each row of a query. For more see [Into].
func Select4[A, B, C, D, T any](
	q orm.Select[T], a expr.Expr[A], b expr.Expr[B], c expr.Expr[C], d expr.Expr[D],
) Query[Row4[A, B, C, D]] {
	var r Row4[A, B, C, D]
	return newQuery[Row4[A, B, C, D]](q, partOf(a, offset(&r, &r.A)), partOf(b, offset(&r, &r.B)),
		partOf(c, offset(&r, &r.C)), partOf(d, offset(&r, &r.D)))
}

// Field is a field of a result and the expression that it gets; see [To].
type Field struct {
	at   memory.Pointer
	part part
}

// To assigns an expression to a field of a result.
func To[F any](field *F, e expr.Expr[F]) Field {
	return Field{memory.Pointer(field), partOf(e, 0)}
}

// Into selects values into the fields of a struct for each row of a query. result
// names the fields, as the row of a query names columns; nothing is read into it:
//
//	var r struct { Name string; Books int64 }
//	found, err := rows.Into(q, &r, rows.To(&r.Name, expr.Of(&a.Name)), rows.To(&r.Books, expr.Count())).All(ctx, s)
func Into[R, T any](q orm.Select[T], result *R, fields ...Field) Query[R] {
	parts := make([]part, len(fields))
	var wrong error
	size := reflect.TypeFor[R]().Size()
	for i, f := range fields {
		at := memory.Offset(memory.Pointer(result), f.at) // a field before it is beyond size
		if at > size || at+f.part.typ.Size() > size {
			wrong = fmt.Errorf("orm: select: field %d, a %s, is none of the %s given", i+1, f.part.typ, reflect.TypeFor[R]())
			continue
		}
		parts[i] = f.part
		parts[i].offset = at
	}
	out := newQuery[R](q, parts...)
	if wrong != nil {
		out.wrong = wrong
	}
	return out
}

// offset returns the offset of a field in a row.
func offset[R, F any](row *R, field *F) uintptr {
	return memory.Offset(memory.Pointer(row), memory.Pointer(field))
}
