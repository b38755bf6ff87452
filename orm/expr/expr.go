package expr

import (
	"database/sql"
	"reflect"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Expr is an expression of SQL whose values are of type T. It is immutable and
// safe for concurrent use. Make one with [Of], [Func] and others.
type Expr[T any] struct{ node term.Node }

// Term implements what queries take; it is not for callers.
func (e Expr[T]) Term() term.Node { return e.node }

// columnOf is the column of a field.
func columnOf[T any](field *T) term.Column {
	return term.Column{Field: memory.Pointer(field), Type: reflect.TypeFor[T]()}
}

// Of returns the column of a field as an expression.
func Of[T any](field *T) Expr[T] { return Expr[T]{new(columnOf(field))} }

// Opt returns the column of a field that is a pointer, because the column can be
// NULL, as an expression of the type that it points to: it is compared with plain
// values.
func Opt[T any](field **T) Expr[T] { return Expr[T]{new(columnOf(field))} }

// OptNull is [Opt] for a field that is a [sql.Null].
func OptNull[T any](field *sql.Null[T]) Expr[T] { return Expr[T]{new(columnOf(field))} }

// compare is the expression beside a value.
func (e Expr[T]) compare(op string, v T) Cond {
	return &term.Binary{Left: e.node, Op: op, Right: &term.Value{V: v}}
}

func (e Expr[T]) with(op string, other Expr[T]) Cond {
	return &term.Binary{Left: e.node, Op: op, Right: other.node}
}

// Eq is [Eq] of an expression.
func (e Expr[T]) Eq(v T) Cond { return e.compare("=", v) }

// Ne is [Ne] of an expression.
func (e Expr[T]) Ne(v T) Cond { return e.compare("<>", v) }

// Gt is [Gt] of an expression.
func (e Expr[T]) Gt(v T) Cond { return e.compare(">", v) }

// Ge is [Ge] of an expression.
func (e Expr[T]) Ge(v T) Cond { return e.compare(">=", v) }

// Lt is [Lt] of an expression.
func (e Expr[T]) Lt(v T) Cond { return e.compare("<", v) }

// Le is [Le] of an expression.
func (e Expr[T]) Le(v T) Cond { return e.compare("<=", v) }

// EqExpr says that two expressions are equal. If either is NULL they are not.
func (e Expr[T]) EqExpr(other Expr[T]) Cond { return e.with("=", other) }

// NeExpr says that two expressions differ. If either is NULL they do not.
func (e Expr[T]) NeExpr(other Expr[T]) Cond { return e.with("<>", other) }

// GtExpr says that an expression is greater than another one.
func (e Expr[T]) GtExpr(other Expr[T]) Cond { return e.with(">", other) }

// GeExpr says that an expression is not less than another one.
func (e Expr[T]) GeExpr(other Expr[T]) Cond { return e.with(">=", other) }

// LtExpr says that an expression is less than another one.
func (e Expr[T]) LtExpr(other Expr[T]) Cond { return e.with("<", other) }

// LeExpr says that an expression is not greater than another one.
func (e Expr[T]) LeExpr(other Expr[T]) Cond { return e.with("<=", other) }

// Differs says that an expression is not v, with Go's semantics: NULL differs
// from every value. In SQL it is IS DISTINCT FROM.
func (e Expr[T]) Differs(v T) Cond { return &term.Differs{Of: e.node, Value: v} }

// In is [In] of an expression.
func (e Expr[T]) In(values ...T) Cond { return in(e.node, false, values) }

// NotIn is [NotIn] of an expression.
func (e Expr[T]) NotIn(values ...T) Cond { return in(e.node, true, values) }

// Between is [Between] of an expression.
func (e Expr[T]) Between(lo, hi T) Cond { return &term.Between{Of: e.node, Lo: lo, Hi: hi} }

// IsNull is [IsNull] of an expression.
func (e Expr[T]) IsNull() Cond { return &term.Unary{Of: e.node, Word: "IS NULL"} }

// NotNull is [NotNull] of an expression.
func (e Expr[T]) NotNull() Cond { return &term.Unary{Of: e.node, Word: "IS NOT NULL"} }

// Like is [Like] of an expression, which must be text.
func (e Expr[T]) Like(pattern string, escape ...rune) Cond { return like(e.node, pattern, escape) }

// ILike is [ILike] of an expression, which must be text.
func (e Expr[T]) ILike(pattern string, escape ...rune) Cond {
	c := like(e.node, pattern, escape)
	c.Fold = true
	return c
}

// Contains is [Contains] of an expression, which must be text.
func (e Expr[T]) Contains(part string) Cond { return like(e.node, "%"+EscapeLike(part)+"%", slash) }

// HasPrefix is [HasPrefix] of an expression, which must be text.
func (e Expr[T]) HasPrefix(start string) Cond { return like(e.node, EscapeLike(start)+"%", slash) }

// HasSuffix is [HasSuffix] of an expression, which must be text.
func (e Expr[T]) HasSuffix(end string) Cond { return like(e.node, "%"+EscapeLike(end), slash) }

// Asc orders by an expression.
func (e Expr[T]) Asc() Order { return Order{&term.Order{Of: e.node}} }

// Desc orders by an expression, the greatest first.
func (e Expr[T]) Desc() Order { return Order{&term.Order{Of: e.node, Word: " DESC"}} }
