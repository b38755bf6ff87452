package orm

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Select is a query for the objects of a type. It is created by [From],
// immutable, and safe for concurrent use: every method returns a new query.
//
//	late, err := orm.From[Order]().
//		Where("due < :now AND paid = :paid", engine.Params{"now": now, "paid": false}).
//		OrderBy("due, id").Limit(50).
//		All(ctx, s)
//
// Conditions are SQL text with column names, in the form that [engine.Text]
// takes. If the session has an object for a row, the query returns that object,
// unchanged unless it is expired.
type Select[T any] struct {
	q        query.Select
	with     []string
	populate bool
	loose    bool
	apart    bool // the session's objects stay as they are when rows are changed
}

// From returns a query for all objects of type T.
func From[T any]() Select[T] { return Select[T]{} }

// Row returns the object whose fields stand for the columns of the query, by
// their addresses, in the conditions of package
// [github.com/sessionproxy/sessionproxy/orm/expr]. It is the same for all queries
// of the type. Nothing is ever read into it, and it must not be changed.
func (q Select[T]) Row() *T {
	if q.q.Row != nil {
		return (*T)(q.q.Row)
	}
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return new(T) // the query has the error
	}
	return (*T)(t.Row())
}

// Where returns the query with further conditions: all conditions must hold. A
// condition is SQL text, followed by its arguments, or one or several of package
// [github.com/sessionproxy/sessionproxy/orm/expr].
func (q Select[T]) Where(condition any, args ...any) Select[T] {
	q.q.AddWhere(condition, args)
	return q
}

// OrderBy returns the query ordered by these columns or expressions, instead of
// any earlier order: SQL text such as "name, id DESC", pointers to fields of
// [Select.Row], and orders of package
// [github.com/sessionproxy/sessionproxy/orm/expr].
func (q Select[T]) OrderBy(order ...any) Select[T] {
	q.q.SetOrder(order)
	return q
}

// Limit returns the query for at most n objects. A negative n removes the
// limit.
func (q Select[T]) Limit(n int) Select[T] {
	q.q.Limit, q.q.Limited = n, n >= 0
	return q
}

// Offset returns the query without the first n objects.
func (q Select[T]) Offset(n int) Select[T] {
	q.q.Offset = max(n, 0)
	return q
}

// ForUpdate returns the query with its rows locked until the transaction ends,
// if the database supports it: SQLite locks the whole database. Objects are
// overwritten with the rows read.
func (q Select[T]) ForUpdate() Select[T] { return q.locked(query.ForUpdate) }

// ForUpdateNoWait is [Select.ForUpdate], but fails at once if another
// transaction has locked a row.
func (q Select[T]) ForUpdateNoWait() Select[T] { return q.locked(query.ForUpdateNoWait) }

// ForUpdateSkipLocked is [Select.ForUpdate] without the rows that other
// transactions have locked. If the database does not support that, the query
// fails.
func (q Select[T]) ForUpdateSkipLocked() Select[T] { return q.locked(query.ForUpdateSkipLocked) }

func (q Select[T]) locked(l query.Lock) Select[T] {
	q.q.Lock, q.populate = l, true
	return q
}

// PopulateExisting returns the query overwriting the session's objects,
// including their changes, with the rows read.
func (q Select[T]) PopulateExisting() Select[T] {
	q.populate = true
	return q
}

// Join returns the query joined with the table of a relation, or of a relation
// of a relation, such as "Team" or "Team.Owner". The relation may also be given by
// a pointer to its field in a row of the query, such as &p.Team.
//
// Conditions in SQL text refer to the columns by the relation's name in snake case:
// team.name, team_owner.name (quoted for you where the database reserves it, as
// user.name). The query's own columns have the table's name where they would be
// ambiguous. Typed conditions refer to them by the fields of the type's row, which
// is From[Team]().Row(), or of row: a pointer to a struct made for this query, as is
// needed if there are several tables of one type.
//
// If a relation to many matches several rows for an object, the object is returned
// once.
func (q Select[T]) Join(relation any, row ...any) Select[T] { return q.join(relation, row, false) }

// LeftJoin is [Select.Join], but keeps objects without a matching row.
func (q Select[T]) LeftJoin(relation any, row ...any) Select[T] { return q.join(relation, row, true) }

func (q Select[T]) join(relation any, row []any, left bool) Select[T] {
	q.q.AddJoin(relation, row, left)
	return q
}

// JoinOn returns the query joined with the table of another type, by
// conditions. row is the struct whose fields stand for its columns: a type's
// own, or one made for this query. In SQL text the table has its own name, or,
// if there are several tables of that name, the name with a number, such as
// team_2. An object that matches several rows is returned once.
func (q Select[T]) JoinOn(row any, on ...expr.Cond) Select[T] { return q.joinOn(row, on, false) }

// LeftJoinOn is [Select.JoinOn], but keeps objects without a matching row.
func (q Select[T]) LeftJoinOn(row any, on ...expr.Cond) Select[T] { return q.joinOn(row, on, true) }

func (q Select[T]) joinOn(row any, on []expr.Cond, left bool) Select[T] {
	conds := make([]term.Condition, len(on))
	for i, c := range on {
		conds[i] = c
	}
	q.q.Joins = append(slices.Clip(q.q.Joins), query.Join{Row: row, On: conds, Left: left})
	return q
}

// As returns the query with another row than the type's own, and the table with
// another name, for a query inside another one of the same type. row is a struct
// made for this query.
func (q Select[T]) As(name string, row *T) Select[T] {
	q.q.Alias, q.q.Row = name, memory.Pointer(row)
	return q
}

// Inner implements [expr.Rows]; it is not for callers.
func (q Select[T]) Inner() *term.Sub {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return &term.Sub{Body: func(w *term.Writer) { w.Fail(err) }}
	}
	return q.q.Inner(t)
}

// Tuple is for package rows, not for callers: the query for rows of these.
func (q Select[T]) Tuple(items []term.Node) (*query.Tuple, error) {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if q.Relations() && err == nil {
		err = fmt.Errorf("orm: select: rows of several values read no relations: use Load on their objects")
	}
	return &query.Tuple{Select: q.q, Table: t, Items: items, Populate: q.populate, Loose: q.loose}, err
}

// With returns the query reading the objects of these relations too, in one
// query for each relation: "Players", or "Players.Team" for relations of those.
// See [Load].
func (q Select[T]) With(paths ...string) Select[T] {
	q.with = append(slices.Clip(q.with), paths...)
	return q
}

// Relations reports whether the query reads relations too; see [Select.With].
func (q Select[T]) Relations() bool { return len(q.with)+len(q.q.Fill) > 0 }

// NoTrack returns the query yielding objects that do not belong to the session:
// they are not kept, and their changes are not detected. Use it for large
// results and for data that is only displayed. It can't be combined with
// [Select.With].
func (q Select[T]) NoTrack() Select[T] {
	q.loose = true
	return q
}

// Render implements [engine.Statement].
func (q Select[T]) Render(d *engine.Dialect) (text string, args []any, err error) {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return "", nil, err
	}
	return q.q.Render(d, t)
}

// Query is a [Select] bound to a session, like SQLAlchemy's legacy Query:
//
//	users, err := orm.NewQuery[User](s).Filter("age > ?", 17).OrderBy("name").All(ctx)
//
// It is immutable: every method returns another one.
type Query[T any] struct {
	s *Session
	q Select[T]
}

// NewQuery returns a query for all objects of type T.
func NewQuery[T any](h Handle) Query[T] { return Query[T]{h.blocking(), From[T]()} }

// Filter is [Select.Where].
func (q Query[T]) Filter(condition any, args ...any) Query[T] {
	return Query[T]{q.s, q.q.Where(condition, args...)}
}

// Join is [Select.Join].
func (q Query[T]) Join(relation any, row ...any) Query[T] {
	return Query[T]{q.s, q.q.Join(relation, row...)}
}

// With is [Select.With].
func (q Query[T]) With(paths ...string) Query[T] { return Query[T]{q.s, q.q.With(paths...)} }

// OrderBy is [Select.OrderBy].
func (q Query[T]) OrderBy(order ...any) Query[T] { return Query[T]{q.s, q.q.OrderBy(order...)} }

// Row is [Select.Row].
func (q Query[T]) Row() *T { return q.q.Row() }

// Limit is [Select.Limit].
func (q Query[T]) Limit(n int) Query[T] { return Query[T]{q.s, q.q.Limit(n)} }

// Offset is [Select.Offset].
func (q Query[T]) Offset(n int) Query[T] { return Query[T]{q.s, q.q.Offset(n)} }
