package orm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Upsert flushes, and inserts the rows of objects, up to some hundred in one
// statement. Where a row with the same values in the unique columns on exists,
// its columns named by set are updated to the object's values, and its version
// is incremented; if set is empty, the row is left as it is. Fields are given
// by their names or those of their columns. on must be a primary key or a
// unique index of the table; MySQL and MariaDB act on whichever unique index a
// row violates; if the existing row has other values in on, the error matches
// [ErrInvalidState].
//
//	err := orm.From[User]().Upsert(ctx, s, users, []string{"Email"}, "Name", "Seen")
//
// Afterwards the objects have the values of their rows: generated keys and
// defaults, and what an existing row had before. A row that the INSERT does not
// return, as on MySQL, is read by a query. The objects stay outside the
// session; an object of the session for one of the rows gets the row's values,
// except where it has changes that were not sent. Relations are left alone, and
// so are hooks.
//
// Every object needs a value in each column of on, no two that the database takes for
// the same; those of the session are rejected, as is a query with conditions.
func (q Select[T]) Upsert(ctx context.Context, h Handle, objs []*T, on []string, set ...string) error {
	s := h.blocking()
	u := &upsert{session: s, rows: map[string]memory.Pointer{}, folded: map[string]memory.Pointer{}, filled: map[identity.Key]bool{}}
	return s.run(ctx, opExecute, func(ctx context.Context) error {
		t, err := mapping.Of(reflect.TypeFor[T]())
		if err != nil {
			return err
		}
		u.table = t
		if len(q.q.Where)+len(q.q.Joins)+len(q.q.Order) > 0 || q.q.Limited || q.q.Offset > 0 {
			return fmt.Errorf("orm: upsert into %s: a query with conditions, order or bounds inserts no rows", t.FullName())
		}
		if err := u.columns(on, set); err != nil {
			return fmt.Errorf("orm: upsert into %s: %w", t.FullName(), err)
		}
		for i, obj := range objs {
			if err := u.take(memory.Pointer(obj)); err != nil {
				return fmt.Errorf("orm: upsert into %s: object %d: %w", t.FullName(), i, err)
			}
		}
		if err := u.perform(ctx); err != nil {
			return fmt.Errorf("orm: upsert into %s: %w", t.FullName(), err)
		}
		return nil
	})
}

// upsert inserts or updates rows.
type upsert struct {
	session *Session
	table   *mapping.Table
	on, set []int
	objs    []memory.Pointer
	rows    map[string]memory.Pointer // those of which nothing came back, by their unique values
	folded  map[string]memory.Pointer // the same without regard to case; nil: there are several
	filled  map[identity.Key]bool     // the rows that came back
	alone   memory.Pointer            // the object whose row is read by itself
}

// columns finds the columns that were named.
func (u *upsert) columns(on, set []string) error {
	find := func(names []string) (out []int, err error) {
		for _, name := range names {
			c := u.table.Field(name)
			if c == nil {
				return nil, fmt.Errorf("%q: %w", name, ErrUnknownField)
			}
			out = append(out, c.Index)
		}
		return out, nil
	}
	var err error
	if u.on, err = find(on); err != nil {
		return err
	}
	if len(u.on) == 0 {
		return errors.New("no unique columns are named")
	}
	if u.set, err = find(set); err != nil {
		return err
	}
	for _, i := range u.set {
		if c := u.table.Columns[i]; !c.Written() || c.Version || c.PK || slices.Contains(u.on, i) {
			return fmt.Errorf("%s can't be set where the row is there already", c.Field)
		}
	}
	return nil
}

// key is the unique values of a row.
func (u *upsert) key(row memory.Pointer) string {
	cols := make([]*mapping.Column, len(u.on))
	for i, c := range u.on {
		cols[i] = u.table.Columns[c]
	}
	return identity.ValueKey(row, cols...)
}

// take notes an object.
func (u *upsert) take(obj memory.Pointer) error {
	if obj == nil {
		return ErrNotEntity
	}
	if u.session.objects.At(obj) != nil {
		return identity.Invalid("it is in the session: flush it")
	}
	key := u.key(obj)
	if key == "" {
		return identity.Invalid("a unique column has no value")
	}
	if u.rows[key] != nil {
		return identity.Invalid("another one has the same unique values")
	}
	u.rows[key] = obj
	u.objs = append(u.objs, obj)
	if _, several := u.folded[strings.ToLower(key)]; several {
		obj = nil
	}
	u.folded[strings.ToLower(key)] = obj
	return nil
}

// of returns the object whose row came back, if its values say so: the database may
// take "Ann" and "ann" for the same. nil: they don't, or it has its row.
func (u *upsert) of(row memory.Pointer) memory.Pointer {
	key := u.key(row)
	if obj := u.rows[key]; obj != nil {
		return obj
	}
	if obj := u.folded[strings.ToLower(key)]; obj != nil && u.rows[u.key(obj)] == obj {
		return obj
	}
	return nil
}

// written are the columns that the INSERT of an object writes.
func (u *upsert) written(obj memory.Pointer) (cols []int) {
	for i, c := range u.table.Columns {
		if !c.Written() || (c.Auto || c.Default) && c.Zero(obj) && !slices.Contains(u.set, i) && !slices.Contains(u.on, i) {
			continue
		}
		cols = append(cols, i)
	}
	return cols
}

// perform sends the rows, those of the same columns together, and reads what is
// in the database then.
func (u *upsert) perform(ctx context.Context) error {
	conn, err := u.session.ready(ctx)
	if err != nil {
		return err
	}
	groups := map[string][]memory.Pointer{}
	var order []string
	for _, obj := range u.objs {
		shape := fmt.Sprint(u.written(obj))
		if groups[shape] == nil {
			order = append(order, shape)
		}
		groups[shape] = append(groups[shape], obj)
	}
	x := dml.For(conn.Dialect(), u.table)
	for _, shape := range order {
		cols := u.written(groups[shape][0])
		for objs := range slices.Chunk(groups[shape], max(1, min(256, 8192/len(cols)))) {
			text := x.Upsert(cols, u.on, u.set, len(objs))
			args := dml.Args{Arrays: dml.HasArrays(conn.Dialect())}
			for _, obj := range objs {
				row := u.table.Snapshot(obj)
				if v := u.table.Version; v != nil && v.Zero(row) {
					if err := v.SetInt(row, 1); err != nil {
						return err
					}
				}
				args.AddAt(row, u.table, cols)
			}
			if err := u.send(ctx, conn, text, args); err != nil {
				return err
			}
		}
	}
	return u.readRest(ctx, conn, x)
}

// send sends a statement, and reads the rows that it gives back.
func (u *upsert) send(ctx context.Context, conn *engine.Conn, text string, args dml.Args) error {
	if args.Err != nil {
		return args.Err
	}
	st := &dml.Bound{Text: text, Args: args.List}
	if !conn.Dialect().Features.InsertReturning && strings.HasPrefix(text, "INSERT") {
		_, err := conn.Execute(ctx, st)
		return err
	}
	return u.receive(ctx, conn, st)
}

// missing are the objects whose rows have not come back.
func (u *upsert) missing() (out []memory.Pointer) {
	for _, obj := range u.objs {
		if u.rows[u.key(obj)] == obj {
			out = append(out, obj)
		}
	}
	return out
}

// readRest reads the rows that no INSERT has given back, and then, one by one, those
// whose values are the objects' to the database alone: "josé" may be "jose".
func (u *upsert) readRest(ctx context.Context, conn *engine.Conn, x *dml.Statements) error {
	if err := u.readAll(ctx, conn, x); err != nil {
		return err
	}
	for _, obj := range u.missing() {
		args := dml.Args{Arrays: dml.HasArrays(conn.Dialect())}
		args.AddAt(obj, u.table, u.on)
		u.alone = obj
		if err := u.send(ctx, conn, x.ByColumns(u.on, 1), args); err != nil {
			return err
		}
		if u.rows[u.key(obj)] == obj {
			return identity.Invalid("object %d has no row: one with other values in %s has a unique value of its", slices.Index(u.objs, obj), u.table.Columns[u.on[0]].Field)
		}
	}
	return nil
}

func (u *upsert) readAll(ctx context.Context, conn *engine.Conn, x *dml.Statements) error {
	for objs := range slices.Chunk(u.missing(), 256) {
		args := dml.Args{Arrays: dml.HasArrays(conn.Dialect())}
		for _, obj := range objs {
			args.AddAt(obj, u.table, u.on)
		}
		if err := u.send(ctx, conn, x.ByColumns(u.on, len(objs)), args); err != nil {
			return err
		}
	}
	return nil
}

// receive reads rows into their objects, and into the session's.
func (u *upsert) receive(ctx context.Context, conn *engine.Conn, st engine.Statement) (err error) {
	cur, err := conn.Query(ctx, st)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	t, o, j := u.table, u.session.objects, u.session.tx.journal()
	plan, err := dml.ScanPlan(conn.Dialect(), t, t.All())
	if err != nil {
		return err
	}
	for cur.Next() {
		row := t.New()
		if err := plan.Scan(cur, t.Object(row)); err != nil {
			return err
		}
		id := identity.KeyOf(t, row)
		if obj := cmp.Or(u.alone, u.of(row)); obj != nil {
			if u.filled[id] {
				return identity.Invalid("object %d has the row of another one", slices.Index(u.objs, obj))
			}
			u.filled[id] = true
			delete(u.rows, u.key(obj))
			t.CopyAll(obj, row)
		}
		if known := o.Find(t, id); known != nil {
			known.Outdated()
			known.ReadAgain(row, t.Columns, false, true, true)
			o.SyncPointers(known)
			j.Touch(known, nil)
		}
	}
	return cur.Err()
}
