package query

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// AddWhere adds a condition in SQL text with its arguments, or typed conditions.
// Anything else is the query's mistake.
func (q *Select) AddWhere(condition any, args []any) {
	q.Where = slices.Clip(q.Where)
	if text, ok := condition.(string); ok {
		q.Where = append(q.Where, Condition{Text: text, Args: args})
		return
	}
	q.Where = slices.Grow(q.Where, 1+len(args))
	q.addTyped(condition)
	for _, c := range args {
		q.addTyped(c)
	}
}

func (q *Select) addTyped(condition any) {
	c, ok := condition.(term.Condition)
	if !ok {
		q.mistake("where: a %T is no condition: want SQL text and its arguments, or conditions of package expr", condition)
		return
	}
	q.Where = append(q.Where, Condition{Term: c})
}

// SetOrder orders by SQL texts, typed orders and expressions, and pointers to
// fields.
func (q *Select) SetOrder(order []any) {
	q.Order = make([]Order, 0, len(order))
	for _, o := range order {
		if text, ok := o.(string); ok {
			if text != "" {
				q.Order = append(q.Order, Order{Text: text})
			}
			continue
		}
		node := NodeOf(o)
		if node == nil {
			q.mistake("order by: a %T is no order: want SQL text, a pointer to a field, or an order of package expr", o)
			return
		}
		q.Order = append(q.Order, Order{Term: node})
	}
}

// AddFill has rows fill the relation of a path, or of a pointer to its field.
func (q *Select) AddFill(relation any) {
	joins := q.Joins
	q.Joins = q.Fill
	q.AddJoin(relation, nil, true)
	q.Joins, q.Fill = joins, q.Joins
}

// AddJoin joins the table of a relation, by its path or a pointer to its field.
func (q *Select) AddJoin(relation any, row []any, left bool) {
	j := Join{Left: left}
	if path, ok := relation.(string); ok {
		j.Path = path
	} else if j.Field = relation; relation == nil {
		q.mistake("join: nil is no relation")
	}
	if len(row) > 1 {
		q.mistake("join: %d rows of one table", len(row))
	} else if len(row) == 1 {
		j.Row = row[0]
	}
	q.Joins = append(slices.Clip(q.Joins), j)
}

// NodeOf returns what a typed expression, or a pointer to a field, is; nil for
// anything else.
func NodeOf(v any) term.Node {
	if e, ok := v.(term.Operand); ok {
		return e.Term()
	}
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
		return &term.Column{Field: p.UnsafePointer(), Type: p.Type().Elem()}
	}
	return nil
}

func (q *Select) mistake(format string, args ...any) {
	if q.Wrong == nil {
		q.Wrong = fmt.Errorf("orm: select: "+format, args...)
	}
}
