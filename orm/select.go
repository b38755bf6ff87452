package orm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
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
	where    []engine.Statement
	order    string
	limit    int // -1: none
	offset   int
	lock     lock
	populate bool
}

// lock is how rows are locked.
type lock uint8

const (
	noLock lock = iota
	forUpdate
	forUpdateNoWait
	forUpdateSkipLocked
)

// From returns a query for all objects of type T.
func From[T any]() Select[T] { return Select[T]{limit: -1} }

// Where returns the query with a condition that has to hold as well.
func (q Select[T]) Where(text string, args ...any) Select[T] {
	q.where = append(slices.Clip(q.where), engine.Text(text, args...))
	return q
}

// OrderBy returns the query in the order of these columns or expressions, such
// as "name, id DESC", in place of the one before.
func (q Select[T]) OrderBy(text string) Select[T] {
	q.order = text
	return q
}

// Limit returns the query for at most n objects. Below 0 there is no limit.
func (q Select[T]) Limit(n int) Select[T] {
	q.limit = max(n, -1)
	return q
}

// Offset returns the query without the first n objects.
func (q Select[T]) Offset(n int) Select[T] {
	q.offset = max(n, 0)
	return q
}

// ForUpdate returns the query with its rows locked until the transaction ends,
// where the database can: SQLite locks as a whole. Objects are overwritten with
// what is read.
func (q Select[T]) ForUpdate() Select[T] { return q.locked(forUpdate) }

// ForUpdateNoWait is [Select.ForUpdate]; a row that others have locked is an
// error at once.
func (q Select[T]) ForUpdateNoWait() Select[T] { return q.locked(forUpdateNoWait) }

// ForUpdateSkipLocked is [Select.ForUpdate] without the rows that others have
// locked. Where the database does not know that, the query is an error.
func (q Select[T]) ForUpdateSkipLocked() Select[T] { return q.locked(forUpdateSkipLocked) }

func (q Select[T]) locked(l lock) Select[T] {
	q.lock, q.populate = l, true
	return q
}

// PopulateExisting returns the query overwriting the session's objects with
// what is read, changes included.
func (q Select[T]) PopulateExisting() Select[T] {
	q.populate = true
	return q
}

// Render implements [engine.Statement].
func (q Select[T]) Render(d *engine.Dialect) (text string, args []any, err error) {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return "", nil, err
	}
	x := textsOf(d, t)
	return q.render(d, "SELECT "+x.list+" FROM "+x.name, true)
}

// render writes the query behind a head; whole says with order, bounds and
// lock.
func (q Select[T]) render(d *engine.Dialect, head string, whole bool) (text string, args []any, err error) {
	parts := []engine.Statement{raw(head)}
	for i, w := range q.where {
		word := raw("AND (")
		if i == 0 {
			word = raw("WHERE (")
		}
		parts = append(parts, word, w, raw(")"))
	}
	if !whole {
		return engine.Concat(parts...).Render(d)
	}
	if q.order != "" {
		parts = append(parts, raw("ORDER BY "+q.order))
	}
	if bounds := q.bounds(d); bounds != "" {
		parts = append(parts, raw(bounds))
	}
	locking, err := q.locking(d)
	if err != nil {
		return "", nil, err
	}
	if locking != "" {
		parts = append(parts, raw(locking))
	}
	return engine.Concat(parts...).Render(d)
}

// bounds is LIMIT and OFFSET. Only PostgreSQL has an OFFSET alone.
func (q Select[T]) bounds(d *engine.Dialect) (text string) {
	switch {
	case q.limit >= 0:
		text = "LIMIT " + strconv.Itoa(q.limit)
	case q.offset > 0 && d.Features.Upsert == engine.UpsertOnDuplicateKey:
		text = "LIMIT 18446744073709551615" // as MySQL's manual has it
	case q.offset > 0 && d.Placeholder == engine.Question:
		text = "LIMIT -1"
	}
	if q.offset > 0 {
		if text != "" {
			text += " "
		}
		text += "OFFSET " + strconv.Itoa(q.offset)
	}
	return text
}

func (q Select[T]) locking(d *engine.Dialect) (string, error) {
	switch {
	case q.lock == noLock, !d.Features.ForUpdate:
		return "", nil
	case q.lock == forUpdateNoWait:
		return "FOR UPDATE NOWAIT", nil
	case q.lock == forUpdateSkipLocked && !d.Features.SkipLocked:
		return "", fmt.Errorf("orm: select: this version of %s does not know SKIP LOCKED: %w", d.System, errors.ErrUnsupported)
	case q.lock == forUpdateSkipLocked:
		return "FOR UPDATE SKIP LOCKED", nil
	default:
		return "FOR UPDATE", nil
	}
}

// raw is text without parameters, in the database's own syntax.
type raw string

// Render implements [engine.Statement].
func (r raw) Render(*engine.Dialect) (text string, args []any, err error) { return string(r), nil, nil }

// All returns the objects.
func (q Select[T]) All(ctx context.Context, s *Session) (objs []*T, err error) {
	for obj, err := range q.Each(ctx, s) {
		if err != nil {
			return nil, err
		}
		objs = append(objs, obj)
	}
	return objs, nil
}

// Each returns the objects one after the other. Until the loop is left the
// session can do nothing else that needs the database. An error ends it.
func (q Select[T]) Each(ctx context.Context, s *Session) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		more := true
		err := s.run(ctx, sp.OpSessionScalars, func(ctx context.Context) error {
			return s.load(ctx, reflect.TypeFor[T](), q, q.populate, func(obj unsafe.Pointer) bool {
				more = yield((*T)(obj), nil)
				return more
			})
		})
		if err != nil && more {
			yield(nil, err)
		}
	}
}

// First returns the first object, or nil if there is none.
func (q Select[T]) First(ctx context.Context, s *Session) (*T, error) {
	objs, err := q.Limit(1).All(ctx, s)
	if err != nil || len(objs) == 0 {
		return nil, err
	}
	return objs[0], nil
}

// OneOrNone returns the only object, or nil if there is none. Several are an
// error that matches [engine.ErrMultipleResults].
func (q Select[T]) OneOrNone(ctx context.Context, s *Session) (*T, error) {
	objs, err := q.Limit(2).All(ctx, s)
	switch {
	case err != nil || len(objs) == 0:
		return nil, err
	case len(objs) > 1:
		return nil, fmt.Errorf("orm: select one %T: %w", *new(T), engine.ErrMultipleResults)
	}
	return objs[0], nil
}

// One is [Select.OneOrNone]; no object is an error that matches [ErrNoResult].
func (q Select[T]) One(ctx context.Context, s *Session) (*T, error) {
	obj, err := q.OneOrNone(ctx, s)
	if err == nil && obj == nil {
		return nil, fmt.Errorf("orm: select one %T: %w", *new(T), ErrNoResult)
	}
	return obj, err
}

// Count returns how many objects there are, whatever limit and offset say.
func (q Select[T]) Count(ctx context.Context, s *Session) (n int64, err error) {
	err = q.number(ctx, s, "SELECT count(*) FROM ", "", &n)
	return n, err
}

// Exists reports whether there is any object.
func (q Select[T]) Exists(ctx context.Context, s *Session) (bool, error) {
	var n int64
	err := q.number(ctx, s, "SELECT count(*) FROM (SELECT 1 FROM ", " LIMIT 1) found", &n)
	return n > 0, err
}

// number reads the one number of a statement around the query's conditions.
func (q Select[T]) number(ctx context.Context, s *Session, head, tail string, n *int64) error {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	d := s.eng.Dialect()
	text, args, err := q.render(d, head+textsOf(d, t).name, false)
	if err != nil {
		return fmt.Errorf("orm: select: %w", err)
	}
	return s.run(ctx, sp.OpSessionScalar, func(ctx context.Context) error {
		if err := s.autoflush(ctx); err != nil {
			return err
		}
		conn, err := s.connect(ctx)
		if err != nil {
			return err
		}
		var ok bool
		*n, ok, err = engine.Scalar[int64](ctx, conn, &statement{text: text + tail, args: args})
		if err == nil && !ok {
			return fmt.Errorf("orm: select: %w", ErrNoResult)
		}
		return err
	})
}
