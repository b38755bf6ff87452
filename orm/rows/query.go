package rows

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Query is a query whose rows are of type R. It is made by [Select1], [Select2], [Into]
// and others, immutable, and safe for concurrent use: every method returns a new
// query.
type Query[R any] struct {
	q     query.Tuple
	parts []load.Part
	wrong error
}

// part is what is selected, and where it goes in a result.
type part struct {
	node   term.Node
	typ    reflect.Type
	offset uintptr
}

func partOf[T any](e expr.Expr[T], offset uintptr) part {
	return part{e.Term(), reflect.TypeFor[T](), offset}
}

func newQuery[R, T any](q orm.Select[T], parts ...part) Query[R] {
	var out Query[R]
	items := make([]term.Node, len(parts))
	for i, p := range parts {
		items[i] = p.node
		lp := load.Part{Type: p.typ, Offset: p.offset}
		if o, ok := p.node.(*term.Object); ok {
			var err error
			if lp.Table, err = mapping.Of(o.Type); err != nil && out.wrong == nil {
				out.wrong = err
			}
		}
		if p.node == nil && out.wrong == nil {
			out.wrong = fmt.Errorf("orm: select: column %d is no expression", i+1)
		}
		out.parts = append(out.parts, lp)
	}
	tuple, err := q.Tuple(items)
	out.q = *tuple
	if out.wrong == nil {
		out.wrong = err
	}
	return out
}

// GroupBy returns the query with its rows grouped by fields, given by pointers,
// and expressions.
func (q Query[R]) GroupBy(by ...any) Query[R] {
	q.q.Group = slices.Clip(q.q.Group)
	for _, b := range by {
		node := query.NodeOf(b)
		if node == nil {
			q.fail("group by: a %T is neither a pointer to a field nor an expression", b)
			return q
		}
		q.q.Group = append(q.q.Group, node)
	}
	return q
}

func (q *Query[R]) fail(format string, args ...any) {
	if q.wrong == nil {
		q.wrong = fmt.Errorf("orm: select: "+format, args...)
	}
}

// Having returns the query with further conditions about groups: all have to hold.
func (q Query[R]) Having(conds ...expr.Cond) Query[R] {
	q.q.Having = slices.Clip(q.q.Having)
	for _, c := range conds {
		q.q.Having = append(q.q.Having, query.Condition{Term: c})
	}
	return q
}

// Distinct returns the query with equal rows returned once.
func (q Query[R]) Distinct() Query[R] {
	q.q.Distinct = true
	return q
}

// Where is that of [orm.Select].
func (q Query[R]) Where(condition any, args ...any) Query[R] {
	q.q.AddWhere(condition, args)
	return q
}

// OrderBy is that of [orm.Select].
func (q Query[R]) OrderBy(order ...any) Query[R] {
	q.q.SetOrder(order)
	return q
}

// Limit returns the query for at most n rows. A negative n removes the limit.
func (q Query[R]) Limit(n int) Query[R] {
	q.q.Limit, q.q.Limited = n, n >= 0
	return q
}

// Offset returns the query without the first n rows.
func (q Query[R]) Offset(n int) Query[R] {
	q.q.Offset = max(n, 0)
	return q
}

// Render implements [engine.Statement].
func (q Query[R]) Render(d *engine.Dialect) (text string, args []any, err error) {
	if q.wrong != nil {
		return "", nil, q.wrong
	}
	return q.q.Render(d)
}

// Subquery implements [expr.Query]; it is not for callers.
func (q Query[R]) Subquery(R) *term.Sub {
	if len(q.parts) != 1 && q.wrong == nil {
		q.fail("a query of %d columns inside another one: want Select1", len(q.parts))
	}
	return q.Inner()
}

// Inner implements [expr.Rows]; it is not for callers.
func (q Query[R]) Inner() *term.Sub {
	if q.wrong != nil {
		return &term.Sub{Body: func(w *term.Writer) { w.Fail(q.wrong) }}
	}
	return q.q.Sub()
}

// All returns the rows.
func (q Query[R]) All(ctx context.Context, h orm.Handle) ([]R, error) {
	task, result := q.Task(h.Tasks())
	if _, err := task.Run(ctx); err != nil {
		return nil, err
	}
	return result(), nil
}

// Task is [Query.All] as a task. result returns the rows once the task is applied.
func (q Query[R]) Task(t orm.Tasks) (task *orm.Task[struct{}], result func() []R) {
	out := []R{}
	l := &load.Tuples{
		Statement: q, Parts: q.parts,
		New: func() memory.Pointer {
			var none R
			out = append(out, none)
			return memory.Pointer(&out[len(out)-1])
		},
		At: func(i int) memory.Pointer { return memory.Pointer(&out[i]) },
	}
	l.Populate, l.Loose = q.q.Populate, q.q.Loose
	return t.Tuples(l), func() []R { return out }
}

// Each returns an iterator over the rows, all of which are read before the first. An
// error ends the iteration.
func (q Query[R]) Each(ctx context.Context, h orm.Handle) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		all, err := q.All(ctx, h)
		for _, row := range all {
			if !yield(row, nil) {
				return
			}
		}
		if err != nil {
			var none R
			yield(none, err)
		}
	}
}

// First returns the first row, or false if there is none.
func (q Query[R]) First(ctx context.Context, h orm.Handle) (row R, ok bool, err error) {
	all, err := q.Limit(1).All(ctx, h)
	if err != nil || len(all) == 0 {
		return row, false, err
	}
	return all[0], true, nil
}

// One returns the only row. If there is none the error matches [engine.ErrNoResult],
// if there are several [engine.ErrMultipleResults].
func (q Query[R]) One(ctx context.Context, h orm.Handle) (row R, err error) {
	all, err := q.Limit(2).All(ctx, h)
	switch {
	case err != nil:
		return row, err
	case len(all) == 0:
		return row, fmt.Errorf("orm: select one: %w", engine.ErrNoResult)
	case len(all) > 1:
		return row, fmt.Errorf("orm: select one: %w", engine.ErrMultipleResults)
	}
	return all[0], nil
}
