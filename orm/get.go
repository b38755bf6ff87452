package orm

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
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

// Fields limits [Session.Refresh] to these fields, given by their names or
// those of their columns, and makes it read the relations among them.
func Fields(fields ...string) GetOption {
	return getOption(func(g *getConfig) { g.fields = append(g.fields, fields...) })
}

// ForUpdate locks the row until the transaction ends, if the database supports
// it: SQLite locks the whole database. It implies [PopulateExisting].
func ForUpdate() GetOption {
	return getOption(func(g *getConfig) { g.populate, g.lock = true, " FOR UPDATE" })
}

// Get returns the object with a primary key, or nil if there is no such row. If
// the session has the object and it is not expired, that is returned without a
// query. A key of several columns is a [Key].
func Get[T any, K any](ctx context.Context, h Handle, key K, opts ...GetOption) (*T, error) {
	s := h.blocking()
	if len(opts) == 0 {
		if obj := cached[T](s, key); obj != nil {
			return obj, nil
		}
	}
	return do(ctx, TasksOf[T](s).Get(key, opts...))
}

// Get is [Get] as a task.
func (t TypedTasks[T]) Get(key any, opts ...GetOption) *Task[*T] {
	return getTask[T](t.s, opGet, key, opts)
}

// GetOne is [Get], but returns an error that matches [engine.ErrNoResult] if
// there is no such row.
func GetOne[T any, K any](ctx context.Context, h Handle, key K, opts ...GetOption) (*T, error) {
	s := h.blocking()
	if len(opts) == 0 {
		if obj := cached[T](s, key); obj != nil {
			return obj, nil
		}
	}
	return do(ctx, TasksOf[T](s).GetOne(key, opts...))
}

// GetOne is [GetOne] as a task.
func (t TypedTasks[T]) GetOne(key any, opts ...GetOption) *Task[*T] {
	task := getTask[T](t.s, opGetOne, key, opts)
	found := task.apply
	task.apply = func(ctx context.Context) (*T, error) {
		obj, err := found(ctx)
		if err == nil && obj == nil {
			return nil, fmt.Errorf("orm: get one %T: %w", *new(T), engine.ErrNoResult)
		}
		return obj, err
	}
	return task
}

// cached returns an object that the session has and need not read, if the key
// is of one of the most common types and there is no chain. It does not
// allocate.
func cached[T any, K any](s *Session, key K) *T {
	if s.handler != nil {
		return nil
	}
	var id identity.Key
	number := true
	switch k := any(key).(type) {
	case int:
		id = identity.IntKey(int64(k))
	case int64:
		id = identity.IntKey(k)
	case string:
		id, number = identity.TextKey(k), false
	default:
		return nil
	}
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil || len(t.Key) != 1 || t.Key[0].Integer() != number || t.Key[0].TextUUID() {
		return nil
	}
	if st := s.objects.Find(t, id); st != nil && !st.Expired {
		return (*T)(st.Object)
	}
	return nil
}

func getTask[T any](s *Session, op sp.Op, key any, opts []GetOption) *Task[*T] {
	r := &rowGet{flushing: flushing{s: s, auto: true}}
	for _, o := range opts {
		if o != nil {
			o.apply(&r.getConfig)
		}
	}
	task := &Task[*T]{s: s, op: op, perform: r.perform, undo: r.undo}
	task.plan = func(ctx context.Context) error {
		t, err := mapping.Of(reflect.TypeFor[T]())
		if err != nil {
			return err
		}
		fresh := t.New()
		if err := fill(t, fresh, key); err != nil {
			return err
		}
		if st := s.objects.Find(t, identity.KeyOf(t, fresh)); st != nil && !st.Expired && !r.populate {
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
		return (*T)(st.Object), nil
	}
	return task
}

// rowGet reads one row by its key, after a flush.
type rowGet struct {
	flushing
	getConfig
	table *mapping.Table
	fresh memory.Pointer  // has the key, then the row
	known *identity.State // the session's object: nothing has to be read
	found bool
}

func (r *rowGet) plan(ctx context.Context, t *mapping.Table, fresh memory.Pointer) error {
	r.table, r.fresh = t, fresh
	return r.flushing.plan(ctx)
}

func (r *rowGet) perform(ctx context.Context) error {
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
	r.found, err = dml.SelectRow(ctx, conn, r.table, r.fresh, r.lock)
	return err
}

// apply returns the session's object for the row. If the row no longer exists,
// the object leaves the session.
func (r *rowGet) apply(ctx context.Context) (*identity.State, error) {
	if r.known != nil {
		return r.known, nil
	}
	if err := r.flushing.apply(ctx); err != nil {
		return nil, err
	}
	id := identity.KeyOf(r.table, r.fresh)
	known := r.s.objects.Find(r.table, id) // the flush may have inserted or deleted it
	switch {
	case !r.found && known != nil:
		r.s.objects.Remove(known)
		return nil, nil
	case !r.found:
		return nil, nil
	case known != nil && !known.Expired && !r.populate:
		return known, nil
	case known == nil:
		known = r.s.objects.AddPersistent(r.table, r.fresh, r.table.Snapshot(r.fresh), id)
	default:
		known.Refresh(r.fresh, r.overwrites)
		r.s.objects.SyncPointers(known)
	}
	r.s.tx.journal().Saw(known)
	return known, r.s.afterLoad(ctx, known)
}

// read runs all parts of a reading.
func (s *Session) read(ctx context.Context, t *mapping.Table, fresh memory.Pointer, g getConfig) (*identity.State, error) {
	r := &rowGet{flushing: flushing{s: s, auto: true}, getConfig: g}
	if err := r.plan(ctx, t, fresh); err != nil {
		return nil, err
	}
	if err := r.perform(ctx); err != nil {
		r.undo(ctx, err)
		return nil, err
	}
	return r.apply(ctx)
}

// overwrites reports whether a column is overwritten even if it was assigned.
func (g *getConfig) overwrites(c *mapping.Column) bool {
	return g.populate && (g.fields == nil || slices.Contains(g.fields, c.Field) || slices.Contains(g.fields, c.Name))
}

// Refresh reads an object's row again and overwrites the object with it,
// including its changes; [Fields] limits it to some fields. If the object is
// not persistent, or its row no longer exists, the error matches
// [ErrInvalidState].
func (s *Session) Refresh(ctx context.Context, obj any, opts ...GetOption) error {
	_, err := do(ctx, s.Tasks().Refresh(obj, opts...))
	return err
}

// Refresh is [Session.Refresh].
func (t Tasks) Refresh(obj any, opts ...GetOption) *Task[struct{}] {
	s, r := t.s, &rowGet{flushing: flushing{s: t.s, auto: true}}
	for _, o := range opts {
		if o != nil {
			o.apply(&r.getConfig)
		}
	}
	r.populate = true
	var st *identity.State
	task := &Task[struct{}]{s: s, op: opRefresh, barrier: true, undo: r.undo}
	task.plan = func(ctx context.Context) (err error) {
		if st, err = s.lookup(obj); err != nil {
			return err
		}
		if st == nil || st.Status != identity.Persistent {
			return identity.Invalid("refresh: the object is not persistent")
		}
		if err := s.ensureTransaction(); err != nil { // before anything is forgotten
			return err
		}
		if r.fields == nil {
			st.Expire() // so that the flush sends none of its changes
		} else if err := st.ExpireFields(r.fields); err != nil {
			return err
		}
		task.exclusive = st.Named(r.fields) != nil
		fresh := st.Table.New()
		for _, c := range st.Table.Key {
			c.Copy(fresh, st.Snapshot)
		}
		return r.plan(ctx, st.Table, fresh)
	}
	refresh := func(ctx context.Context) error {
		now, err := r.apply(ctx)
		if err == nil && now == nil {
			return identity.Invalid("refresh: the row of %s is gone", st.Table.FullName())
		}
		for _, rel := range st.Named(r.fields) {
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
