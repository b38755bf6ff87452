package expr

import "github.com/sessionproxy/sessionproxy/orm/internal/term"

// Query is a query with a single column of type T, for use inside another one: see
// package [github.com/sessionproxy/sessionproxy/orm/rows].
type Query[T any] interface {
	// Subquery is not for callers.
	Subquery(T) *term.Sub
}

// Rows is a query inside another one that asks whether it has rows, such as one
// of package orm.
type Rows interface {
	// Inner is not for callers.
	Inner() *term.Sub
}

// Exists says that a query has rows. Its conditions may refer to rows of the
// enclosing query; if both are of one type, give the inner one a row of its
// own: see [github.com/sessionproxy/sessionproxy/orm.Select.As].
func Exists(q Rows) Cond { return &term.Exists{Of: q.Inner()} }

// InQuery says that a field is one of the values of a query.
func InQuery[T any](field *T, q Query[T]) Cond { return Of(field).InQuery(q) }

// NotInQuery says that a field is none of the values of a query. If one of them is
// NULL, it is not true of any field.
func NotInQuery[T any](field *T, q Query[T]) Cond { return Of(field).NotInQuery(q) }

// InQuery is [InQuery] of an expression.
func (e Expr[T]) InQuery(q Query[T]) Cond { return e.among(q, false) }

// NotInQuery is [NotInQuery] of an expression.
func (e Expr[T]) NotInQuery(q Query[T]) Cond { return e.among(q, true) }

func (e Expr[T]) among(q Query[T], not bool) Cond {
	var none T
	return &term.Among{Of: e.node, Sub: q.Subquery(none), Not: not}
}

// Scalar is the value of a query with at most one row; NULL if there is none.
func Scalar[T any](q Query[T]) Expr[T] {
	var none T
	return Expr[T]{q.Subquery(none)}
}
