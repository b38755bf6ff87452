package expr

import (
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Eq says that a field equals a value; nil means NULL.
func Eq[T any](field *T, v T) Cond { return compare(field, "=", v) }

// Ne says that a field differs from a value; nil means NULL. It is not true of a
// NULL: see [Expr.Differs].
func Ne[T any](field *T, v T) Cond { return compare(field, "<>", v) }

// Gt says that a field is greater than a value.
func Gt[T any](field *T, v T) Cond { return compare(field, ">", v) }

// Ge says that a field is not less than a value.
func Ge[T any](field *T, v T) Cond { return compare(field, ">=", v) }

// Lt says that a field is less than a value.
func Lt[T any](field *T, v T) Cond { return compare(field, "<", v) }

// Le says that a field is not greater than a value.
func Le[T any](field *T, v T) Cond { return compare(field, "<=", v) }

func compare[T any](field *T, op string, v T) Cond {
	return &term.Compare{Column: columnOf(field), Op: op, Value: v}
}

// EqField says that two fields are equal, such as those of a join. For another
// comparison use the methods of [Of].
func EqField[T any](a, b *T) Cond { return Of(a).EqExpr(Of(b)) }

// Between says that a field is in a range that contains its ends.
func Between[T any](field *T, lo, hi T) Cond { return Of(field).Between(lo, hi) }

// IsNull says that a field is NULL.
func IsNull[T any](field *T) Cond { return Of(field).IsNull() }

// NotNull says that a field is not NULL.
func NotNull[T any](field *T) Cond { return Of(field).NotNull() }

// In says that a field is one of these values; a nil among them means NULL.
// Without values it is false. Each value is a parameter; databases limit how
// many there may be.
func In[T any](field *T, values ...T) Cond { return Of(field).In(values...) }

// NotIn says that a field is none of these values. It is not true of a NULL,
// unless there are no values.
func NotIn[T any](field *T, values ...T) Cond { return Of(field).NotIn(values...) }

func in[T any](of term.Node, not bool, values []T) Cond {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return &term.In{Of: of, Values: list, Not: not}
}
