package orm

import (
	"reflect"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Select is a query for the objects of a type. It is made by [From], immutable,
// and safe for concurrent use: every method returns another one.
//
//	late, err := orm.From[Order]().
//		Where("due < :now AND paid = :paid", engine.Params{"now": now, "paid": false}).
//		OrderBy("due, id").Limit(50).
//		All(ctx, s)
//
// Conditions are SQL text, as [engine.Text] takes it, with the names of
// columns. A row that the session has an object for gives that object, as it
// is: only what is expired is overwritten.
type Select[T any] struct {
	q        query.Select
	with     []string
	populate bool
	loose    bool
}

// From returns a query for all objects of type T.
func From[T any]() Select[T] { return Select[T]{} }

// Where returns the query with a condition that has to hold as well.
func (q Select[T]) Where(text string, args ...any) Select[T] {
	q.q.Where = append(slices.Clip(q.q.Where), query.Condition{Text: text, Args: args})
	return q
}

// OrderBy returns the query in the order of these columns or expressions, such
// as "name, id DESC", in place of the one before.
func (q Select[T]) OrderBy(text string) Select[T] {
	q.q.Order = text
	return q
}

// Limit returns the query for at most n objects. Below 0 there is no limit.
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
// where the database can: SQLite locks as a whole. Objects are overwritten with
// what is read.
func (q Select[T]) ForUpdate() Select[T] { return q.locked(query.ForUpdate) }

// ForUpdateNoWait is [Select.ForUpdate]; a row that others have locked is an
// error at once.
func (q Select[T]) ForUpdateNoWait() Select[T] { return q.locked(query.ForUpdateNoWait) }

// ForUpdateSkipLocked is [Select.ForUpdate] without the rows that others have
// locked. Where the database does not know that, the query is an error.
func (q Select[T]) ForUpdateSkipLocked() Select[T] { return q.locked(query.ForUpdateSkipLocked) }

func (q Select[T]) locked(l query.Lock) Select[T] {
	q.q.Lock, q.populate = l, true
	return q
}

// PopulateExisting returns the query overwriting the session's objects with
// what is read, changes included.
func (q Select[T]) PopulateExisting() Select[T] {
	q.populate = true
	return q
}

// Join returns the query with the table of a relation, or of one behind it, such
// as "Team" or "Team.Owner". In conditions its columns have the relation's name
// in snake case in front: team.name, team_owner.name (quoted for you where the
// database reserves it, as user.name); those of the query's own
// table have the table's name where they would be ambiguous. An object of which
// several rows are found, by a relation to many, is there once.
func (q Select[T]) Join(path string) Select[T] { return q.join(path, false) }

// LeftJoin is [Select.Join], keeping objects for which there is no other row.
func (q Select[T]) LeftJoin(path string) Select[T] { return q.join(path, true) }

func (q Select[T]) join(path string, left bool) Select[T] {
	q.q.Joins = append(slices.Clip(q.q.Joins), query.Join{Path: path, Left: left})
	return q
}

// With returns the query reading what these relations hold as well, in one
// query for each of them: "Players", or "Players.Team" for those behind. See
// [Load].
func (q Select[T]) With(paths ...string) Select[T] {
	q.with = append(slices.Clip(q.with), paths...)
	return q
}

// Relations reports whether the query reads relations as well; see [Select.With].
func (q Select[T]) Relations() bool { return len(q.with) > 0 }

// NoTrack returns the query giving objects that are not the session's: they are
// read, not compared and not kept. For large results, and for what is only
// shown. Relations can't be read with it.
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
