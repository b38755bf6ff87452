package expr

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Cond is a condition about the rows of a query. It is immutable and safe for
// concurrent use, and may be used in any number of queries that have these
// rows.
type Cond interface {
	term.Condition
}

// And says that all of these conditions hold; without conditions it is true.
func And(conds ...Cond) Cond { return join("AND", conds) }

// Or says that at least one of these conditions holds; without conditions it is
// false.
func Or(conds ...Cond) Cond { return join("OR", conds) }

func join(word string, conds []Cond) Cond {
	of := make([]term.Condition, 0, len(conds))
	for _, c := range conds {
		of = append(of, c)
	}
	return &term.Junction{Word: word, Of: of}
}

// Not says that a condition does not hold. If it is NULL, so is its opposite.
func Not(c Cond) Cond { return &term.Not{Of: c} }

// Text is a condition in SQL text with its arguments, in the form that
// [github.com/sessionproxy/sessionproxy/engine.Text] takes. The query's own columns
// have the table's name where they would be ambiguous.
func Text(text string, args ...any) Cond {
	return &term.Text{Text: text, Args: slices.Clone(args)}
}

// Order is one term of ORDER BY.
type Order struct{ order *term.Order }

// Term implements what queries take; it is not for callers.
func (o Order) Term() term.Node { return o.order }

// Asc orders by a field.
func Asc[T any](field *T) Order { return Of(field).Asc() }

// Desc orders by a field, the greatest first.
func Desc[T any](field *T) Order { return Of(field).Desc() }

// NullsFirst is the order with NULL before all values, on every database.
func (o Order) NullsFirst() Order { return o.nulls("FIRST") }

// NullsLast is the order with NULL after all values, on every database.
func (o Order) NullsLast() Order { return o.nulls("LAST") }

func (o Order) nulls(where string) Order {
	c := *o.order
	c.Nulls = where
	return Order{&c}
}
