package orm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Update flushes, and updates the rows that match the query's conditions, in
// one statement: set is the SQL text after SET, such as "score = score + ?". It
// returns the number of rows. Versions are not incremented. Queries with Join,
// OrderBy, Limit or Offset are rejected.
//
// If the session has objects of the type, those whose rows were updated get the
// new values, except where they have changes that were not sent; the others are
// left alone. Where UPDATE returns no rows (MySQL, MariaDB), or set names a
// column of the key, the rows are locked and their keys read first, and their
// objects are expired. [Select.LeaveObjects] turns that off.
func (q Select[T]) Update(ctx context.Context, h Handle, set string, args ...any) (int64, error) {
	return q.bulk(ctx, h.blocking(), bulk{head: "UPDATE ", set: set, parts: []engine.Statement{dml.Raw("SET"), engine.Text(set, args...)}})
}

// Delete flushes, and deletes the rows that match the query's conditions, in
// one statement. It returns the number of rows. Relations do not cascade.
// Queries with Join, OrderBy, Limit or Offset are rejected.
//
// If the session has objects of the type, those whose rows were deleted are
// deleted objects; the others are left alone. Where DELETE returns no rows
// (MySQL), the rows are locked and their keys read first.
// [Select.LeaveObjects] turns that off.
func (q Select[T]) Delete(ctx context.Context, h Handle) (int64, error) {
	return q.bulk(ctx, h.blocking(), bulk{head: "DELETE FROM ", deletes: true})
}

// LeaveObjects returns the query whose Update and Delete leave the session's
// objects as they are. Use it for many rows if the session holds none of their
// objects that you still need.
func (q Select[T]) LeaveObjects() Select[T] {
	q.apart = true
	return q
}

func (q Select[T]) bulk(ctx context.Context, s *Session, b bulk) (n int64, err error) {
	if b.table, err = mapping.Of(reflect.TypeFor[T]()); err != nil {
		return 0, err
	}
	b.session, b.q, b.apart = s, q.q, q.apart
	if _, err := b.statement(""); err != nil {
		return 0, err
	}
	err = s.run(ctx, opExecute, func(ctx context.Context) (err error) {
		conn, err := s.ready(ctx)
		if err != nil {
			return err
		}
		if n, err = b.perform(ctx, conn); err != nil {
			return fmt.Errorf("orm: %s%s: %w", b.head, b.table.FullName(), err)
		}
		return nil
	})
	return n, err
}

// bulk is an UPDATE or a DELETE of the rows that conditions find.
type bulk struct {
	session *Session
	table   *mapping.Table
	q       query.Select
	head    string
	set     string
	parts   []engine.Statement
	deletes bool
	apart   bool
}

func (b *bulk) statement(tail string) (engine.Statement, error) {
	return b.q.Bulk(b.session.eng.Dialect(), b.table, b.head, tail, b.parts...)
}

// perform changes the rows, and brings their objects up to them.
func (b *bulk) perform(ctx context.Context, conn *engine.Conn) (int64, error) {
	known := false
	for range b.session.objects.OfTable(b.table) {
		known = true
		break
	}
	features := conn.Dialect().Features
	switch {
	case b.apart || !known:
		return b.execute(ctx, conn)
	case b.deletes && features.DeleteReturning:
		return b.returning(ctx, conn, dml.IndicesOf(b.table.Key))
	case !b.deletes && features.UpdateReturning && !b.sets(b.table.Key...):
		return b.returning(ctx, conn, b.table.All())
	}
	st, err := b.q.Keys(conn.Dialect(), b.table)
	if err != nil {
		return 0, err
	}
	var found []*identity.State
	if _, err := b.read(ctx, conn, st, dml.IndicesOf(b.table.Key), func(st *identity.State, _ memory.Pointer) { found = append(found, st) }); err != nil {
		return 0, err
	}
	n, err := b.execute(ctx, conn)
	if err != nil {
		return n, err
	}
	counts := b.table.Version != nil && b.sets(b.table.Version)
	for _, st := range found {
		b.changed(st)
		st.Partial = st.Partial || counts
	}
	return n, nil
}

// sets reports whether the text after SET may give rows other values in a column.
func (b *bulk) sets(cols ...*mapping.Column) bool {
	for word := range strings.FieldsFuncSeq(b.set, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if slices.ContainsFunc(cols, func(c *mapping.Column) bool { return strings.EqualFold(c.Name, word) }) {
			return true
		}
	}
	return false
}

func (b *bulk) execute(ctx context.Context, conn *engine.Conn) (int64, error) {
	st, err := b.statement("")
	if err != nil {
		return 0, err
	}
	res, err := conn.Execute(ctx, st)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected(), nil
}

// returning changes the rows and reads these columns of them.
func (b *bulk) returning(ctx context.Context, conn *engine.Conn, cols []int) (int64, error) {
	st, err := b.statement(" RETURNING " + dml.For(conn.Dialect(), b.table).Named(cols))
	if err != nil {
		return 0, err
	}
	var loaded []*identity.State
	n, err := b.read(ctx, conn, st, cols, func(st *identity.State, r memory.Pointer) {
		b.changed(st)
		if !b.deletes {
			st.ReadAgain(r, b.table.Columns, false, true, true)
			b.session.objects.SyncPointers(st)
			loaded = append(loaded, st)
		}
	})
	for _, st := range loaded {
		if err == nil {
			err = b.session.afterLoad(ctx, st)
		}
	}
	return n, err
}

// changed notes that the row of an object was changed, or is gone.
func (b *bulk) changed(st *identity.State) {
	j := b.session.tx.journal()
	if b.deletes {
		b.session.objects.Deleted(j, st)
		return
	}
	st.Outdated()
	j.Touch(st, nil)
}

// read reads rows with these columns, and hands over those of which the session
// has objects.
func (b *bulk) read(ctx context.Context, conn *engine.Conn, st engine.Statement, cols []int, yield func(st *identity.State, r memory.Pointer)) (n int64, err error) {
	cur, err := conn.Query(ctx, st)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	plan, err := dml.ScanPlan(conn.Dialect(), b.table, cols)
	if err != nil {
		return 0, err
	}
	r := b.table.New()
	for ; cur.Next(); n++ {
		if err := plan.Scan(cur, b.table.Object(r)); err != nil {
			return n, err
		}
		if st := b.session.objects.Find(b.table, identity.KeyOf(b.table, r)); st != nil {
			yield(st, r)
			r = b.table.New()
		}
	}
	return n, cur.Err()
}
