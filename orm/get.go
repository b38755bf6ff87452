package orm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// A GetOption changes how [Get] and [GetOne] read.
type GetOption interface{ apply(g *getConfig) }

type getOption func(g *getConfig)

func (f getOption) apply(g *getConfig) { f(g) }

type getConfig struct {
	populate bool
	lock     string
	fields   []string // of [Session.Refresh]; nil: all
}

// PopulateExisting reads the row even if the session has the object, and
// overwrites the object.
func PopulateExisting() GetOption { return getOption(func(g *getConfig) { g.populate = true }) }

// Fields makes [Session.Refresh] overwrite these fields only, by their names or
// those of their columns, and read the relations among them.
func Fields(fields ...string) GetOption {
	return getOption(func(g *getConfig) { g.fields = append(g.fields, fields...) })
}

// ForUpdate locks the row until the transaction ends, where the database can:
// SQLite locks as a whole. It implies [PopulateExisting].
func ForUpdate() GetOption {
	return getOption(func(g *getConfig) { g.populate, g.lock = true, " FOR UPDATE" })
}

// Get returns the object of a primary key, or nil if there is no such row. If
// the session has the object, that is returned, without a look at the database,
// unless it is expired. A key of several columns is a [Key].
func Get[T any, K any](ctx context.Context, s *Session, key K, opts ...GetOption) (*T, error) {
	if len(opts) == 0 {
		if obj := cached[T](s, key); obj != nil {
			return obj, nil
		}
	}
	return do(ctx, GetTask[T](s, key, opts...))
}

// GetTask is [Get] as a task.
func GetTask[T any](s *Session, key any, opts ...GetOption) *Task[*T] {
	return getTask[T](s, sp.OpSessionGet, key, opts)
}

// GetOne is [Get], and a row that does not exist is an error that matches
// [ErrNoResult].
func GetOne[T any, K any](ctx context.Context, s *Session, key K, opts ...GetOption) (*T, error) {
	if len(opts) == 0 {
		if obj := cached[T](s, key); obj != nil {
			return obj, nil
		}
	}
	return do(ctx, GetOneTask[T](s, key, opts...))
}

// GetOneTask is [GetOne] as a task.
func GetOneTask[T any](s *Session, key any, opts ...GetOption) *Task[*T] {
	t := getTask[T](s, sp.OpSessionGetOne, key, opts)
	found := t.apply
	t.apply = func(ctx context.Context) (*T, error) {
		obj, err := found(ctx)
		if err == nil && obj == nil {
			return nil, fmt.Errorf("orm: get one %T: %w", *new(T), ErrNoResult)
		}
		return obj, err
	}
	return t
}

// cached returns an object that the session has and need not read, if the key is
// of the most frequent kinds and there is no chain to pass. It allocates
// nothing.
func cached[T any, K any](s *Session, key K) *T {
	if s.handler != nil {
		return nil
	}
	var id identity
	switch k := any(key).(type) {
	case int:
		id.n = int64(k)
	case int64:
		id.n = k
	case string:
		id.s = k
	default:
		return nil
	}
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil || len(t.Key) != 1 || t.Key[0].Integer() != (id.s == "") {
		return nil
	}
	if st := s.objects.find(t, id); st != nil && !st.expired {
		return (*T)(st.obj)
	}
	return nil
}

func getTask[T any](s *Session, op sp.Op, key any, opts []GetOption) *Task[*T] {
	r := &reading{flushing: flushing{s: s, auto: true}}
	for _, o := range opts {
		if o != nil {
			o.apply(&r.getConfig)
		}
	}
	task := &Task[*T]{s: s, op: op, perform: r.perform, undo: r.undo}
	task.plan = func(ctx context.Context) error {
		t, err := mapping.Of(typeFor[T]())
		if err != nil {
			return err
		}
		fresh := t.New()
		if err := fill(t, fresh, key); err != nil {
			return err
		}
		if st := s.objects.find(t, identityOf(t, fresh)); st != nil && !st.expired && !r.populate {
			r.known, task.local = st, true
			return nil
		}
		err = r.plan(ctx, t, fresh)
		task.barrier, task.single = r.needed(), !r.needed()
		return err
	}
	task.apply = func(ctx context.Context) (*T, error) {
		st, err := r.apply(ctx)
		if st == nil || err != nil {
			return nil, err
		}
		return (*T)(st.obj), nil
	}
	return task
}

// reading is the reading of one row by its key, after a flush.
type reading struct {
	flushing
	getConfig
	table *mapping.Table
	fresh unsafe.Pointer // has the key, then the row
	known *state         // the session's object: nothing has to be read
	found bool
}

func (r *reading) plan(ctx context.Context, t *mapping.Table, fresh unsafe.Pointer) error {
	r.table, r.fresh = t, fresh
	return r.flushing.plan(ctx)
}

func (r *reading) perform(ctx context.Context) error {
	if r.known != nil {
		return nil
	}
	if err := r.flushing.perform(ctx); err != nil {
		return err
	}
	conn, err := r.s.connect(ctx)
	if err != nil {
		return err
	}
	r.found, err = selectRow(ctx, conn, r.table, r.fresh, r.lock)
	return err
}

// apply returns the session's object for the row. If the row is gone so is the
// object.
func (r *reading) apply(ctx context.Context) (*state, error) {
	if r.known != nil {
		return r.known, nil
	}
	if err := r.flushing.apply(ctx); err != nil {
		return nil, err
	}
	id := identityOf(r.table, r.fresh)
	known := r.s.objects.find(r.table, id) // the flush may have inserted or deleted it
	switch {
	case !r.found && known != nil:
		r.s.objects.remove(known)
		return nil, nil
	case !r.found:
		return nil, nil
	case known != nil && !known.expired && !r.populate:
		return known, nil
	case known == nil:
		known = r.s.objects.addPersistent(r.table, r.fresh, r.table.Snapshot(r.fresh), id)
	default:
		known.refresh(r.fresh, r.overwrites)
	}
	r.s.tx.journal().saw(known)
	return known, r.s.afterLoad(ctx, known)
}

// read does all parts of a reading.
func (s *Session) read(ctx context.Context, t *mapping.Table, fresh unsafe.Pointer, g getConfig) (*state, error) {
	r := &reading{flushing: flushing{s: s, auto: true}, getConfig: g}
	if err := r.plan(ctx, t, fresh); err != nil {
		return nil, err
	}
	if err := r.perform(ctx); err != nil {
		r.undo(ctx, err)
		return nil, err
	}
	return r.apply(ctx)
}

// overwrites reports whether a column is overwritten though it was assigned.
func (g *getConfig) overwrites(c *mapping.Column) bool {
	return g.populate && (g.fields == nil || slices.Contains(g.fields, c.Field) || slices.Contains(g.fields, c.Name))
}

// refresh brings an object up to its row. What was assigned since the object
// expired is kept, unless overwrite says of a column that it is to be overwritten.
func (st *state) refresh(row unsafe.Pointer, overwrite func(*mapping.Column) bool) {
	for _, c := range st.table.Columns {
		if overwrite(c) || c.Equal(st.obj, st.snapshot) {
			c.Copy(st.obj, row)
		}
		c.Copy(st.snapshot, row)
	}
	st.expired, st.partial = false, false
}

// readAgain is refresh with some of the columns: whole says that they are all,
// versioned that the version is among them.
func (st *state) readAgain(row unsafe.Pointer, cols []*mapping.Column, populate, whole, versioned bool) {
	for _, c := range cols {
		if populate || c.Equal(st.obj, st.snapshot) {
			c.Copy(st.obj, row)
		}
		c.Copy(st.snapshot, row)
	}
	st.expired, st.partial = st.expired && !whole, st.partial && !versioned
}

// selectRow reads a row by the key that is in obj, into obj. lock, such as " FOR
// UPDATE", is left out where the database has none.
func selectRow(ctx context.Context, conn *engine.Conn, t *mapping.Table, obj unsafe.Pointer, lock string) (found bool, err error) {
	d := conn.Dialect()
	if !d.Features.ForUpdate {
		lock = ""
	}
	args := arguments{}
	args.add(obj, t.Key...)
	cur, err := conn.Query(ctx, &statement{text: textsOf(d, t).get(lock), args: args.list})
	if err != nil {
		return false, fmt.Errorf("orm: get from %s: %w", t.FullName(), err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	if !cur.Next() {
		return false, cur.Err()
	}
	plan, err := planOf(d, t, t.All())
	if err != nil {
		return false, err
	}
	if err := plan.Scan(cur, t.Object(obj)); err != nil {
		return false, fmt.Errorf("orm: get from %s: %w", t.FullName(), err)
	}
	return true, nil
}

// Refresh reads an object's row again and overwrites the object with it,
// changes included; see [Fields] for a part of it. An object that is not
// persistent, and a row that is gone, are errors that match [ErrInvalidState].
func (s *Session) Refresh(ctx context.Context, obj any, opts ...GetOption) error {
	_, err := do(ctx, s.Tasks().Refresh(obj, opts...))
	return err
}

// Refresh is [Session.Refresh].
func (t Tasks) Refresh(obj any, opts ...GetOption) *Task[Nothing] {
	s, r := t.s, &reading{flushing: flushing{s: t.s, auto: true}}
	for _, o := range opts {
		if o != nil {
			o.apply(&r.getConfig)
		}
	}
	r.populate = true
	var st *state
	task := &Task[Nothing]{s: s, op: sp.OpSessionRefresh, barrier: true, undo: r.undo}
	task.plan = func(ctx context.Context) (err error) {
		if st, err = s.lookup(obj); err != nil {
			return err
		}
		if st == nil || st.status != persistent {
			return errInvalid("refresh: the object is not persistent")
		}
		if err := s.ensureTransaction(); err != nil { // before anything is forgotten
			return err
		}
		if r.fields == nil {
			st.expire() // so that the flush sends none of its changes
		} else if err := st.expireFields(r.fields); err != nil {
			return err
		}
		task.exclusive = st.named(r.fields) != nil
		fresh := st.table.New()
		for _, c := range st.table.Key {
			c.Copy(fresh, st.snapshot)
		}
		return r.plan(ctx, st.table, fresh)
	}
	refresh := func(ctx context.Context) error {
		now, err := r.apply(ctx)
		if err == nil && now == nil {
			return errInvalid("refresh: the row of %s is gone", st.table.FullName())
		}
		for _, rel := range st.named(r.fields) {
			if err == nil {
				err = s.loadRelation(ctx, rel, st)
			}
		}
		return err
	}
	task.perform = func(ctx context.Context) error {
		err := r.perform(ctx)
		if err == nil && task.exclusive {
			return refresh(ctx)
		}
		return err
	}
	task.apply = noResult(func(ctx context.Context) error {
		if task.exclusive {
			return nil
		}
		return refresh(ctx)
	})
	return task
}

// named returns the relations among fields.
func (st *state) named(fields []string) (out []*mapping.Relation) {
	for _, r := range st.table.Relations() {
		if slices.Contains(fields, r.Field) {
			out = append(out, r)
		}
	}
	return out
}

// autoflush flushes before a query, unless that is off.
func (s *Session) autoflush(ctx context.Context) error {
	f := &flushing{s: s, auto: true}
	if err := f.plan(ctx); err != nil {
		return err
	}
	if err := f.perform(ctx); err != nil {
		f.undo(ctx, err)
		return err
	}
	return f.apply(ctx)
}

// NoAutoflush runs fn with autoflush off.
func (s *Session) NoAutoflush(fn func() error) error {
	before := s.cfg.autoflush
	s.cfg.autoflush = false
	defer func() { s.cfg.autoflush = before }()
	return fn()
}

// Execute flushes, runs a statement in the session's transaction and buffers
// its answer.
func (s *Session) Execute(ctx context.Context, st engine.Statement) (*engine.Result, error) {
	return do(ctx, s.Tasks().Execute(st))
}

// Execute is [Session.Execute].
func (t Tasks) Execute(st engine.Statement) *Task[*engine.Result] {
	return query(t.s, sp.OpSessionExecute, func(ctx context.Context, conn *engine.Conn) (*engine.Result, error) {
		return conn.Execute(ctx, st)
	})
}

// query is a task that flushes and reads something that is no object.
func query[T any](s *Session, op sp.Op, read func(ctx context.Context, conn *engine.Conn) (T, error)) *Task[T] {
	f := &flushing{s: s, auto: true}
	task := &Task[T]{s: s, op: op, undo: f.undo}
	var out T
	task.plan = func(ctx context.Context) error {
		err := f.plan(ctx)
		task.barrier, task.single = f.needed(), !f.needed()
		return err
	}
	task.perform = func(ctx context.Context) error {
		if err := f.perform(ctx); err != nil {
			return err
		}
		conn, err := s.connect(ctx)
		if err != nil {
			return err
		}
		out, err = read(ctx, conn)
		return err
	}
	task.apply = func(ctx context.Context) (T, error) { return out, f.apply(ctx) }
	return task
}
