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
	if s.handler == nil && len(opts) == 0 {
		if obj := hit[T](s, key); obj != nil {
			return obj, nil
		}
	}
	return get[T](ctx, s, sp.OpSessionGet, key, opts)
}

// GetOne is [Get], and a row that does not exist is an error that matches
// [ErrNoResult].
func GetOne[T any, K any](ctx context.Context, s *Session, key K, opts ...GetOption) (*T, error) {
	obj, err := get[T](ctx, s, sp.OpSessionGetOne, key, opts)
	if err == nil && obj == nil {
		return nil, fmt.Errorf("orm: get one %T: %w", *new(T), ErrNoResult)
	}
	return obj, err
}

// hit returns an object that the session has and need not read, if the key is
// of the most frequent kinds. It allocates nothing.
func hit[T any, K any](s *Session, key K) *T {
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

func get[T any](ctx context.Context, s *Session, op sp.Op, key any, opts []GetOption) (obj *T, err error) {
	var g getConfig
	for _, o := range opts {
		if o != nil {
			o.apply(&g)
		}
	}
	err = s.run(ctx, op, func(ctx context.Context) error {
		t, err := mapping.Of(reflect.TypeFor[T]())
		if err != nil {
			return err
		}
		fresh := t.New()
		if err := fill(t, fresh, key); err != nil {
			return err
		}
		st := s.objects.find(t, identityOf(t, fresh))
		if st == nil || st.expired || g.populate {
			if st, err = s.read(ctx, t, fresh, g); err != nil {
				return err
			}
		}
		if st != nil {
			obj = (*T)(st.obj)
		}
		return nil
	})
	return obj, err
}

// read reads the row whose key fresh has, after a flush, and returns the
// session's object for it. If the row is gone so is the object.
func (s *Session) read(ctx context.Context, t *mapping.Table, fresh unsafe.Pointer, g getConfig) (*state, error) {
	if err := s.autoflush(ctx); err != nil {
		return nil, err
	}
	id := identityOf(t, fresh)
	known := s.objects.find(t, id) // the flush may have inserted or deleted it
	if known != nil && !known.expired && !g.populate {
		return known, nil
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	found, err := selectRow(ctx, conn, t, fresh, g)
	if err != nil {
		return nil, err
	}
	switch {
	case !found && known != nil:
		s.objects.remove(known)
		return nil, nil
	case !found:
		return nil, nil
	case known == nil:
		known = &state{table: t, obj: fresh, status: persistent, snapshot: t.Snapshot(fresh)}
		s.objects.add(known)
		s.objects.identify(known, id)
	default:
		known.refresh(fresh, g)
	}
	return known, s.afterLoad(ctx, known)
}

// refresh brings an object up to its row. What was assigned since the object
// expired is kept, unless it is to be overwritten.
func (st *state) refresh(row unsafe.Pointer, g getConfig) {
	for _, c := range st.table.Columns {
		overwrite := g.populate && (g.fields == nil || slices.Contains(g.fields, c.Field) || slices.Contains(g.fields, c.Name))
		if overwrite || c.Equal(st.obj, st.snapshot) {
			c.Copy(st.obj, row)
		}
		c.Copy(st.snapshot, row)
	}
	st.expired = false
}

// selectRow reads a row by the key that is in obj, into obj.
func selectRow(ctx context.Context, conn *engine.Conn, t *mapping.Table, obj unsafe.Pointer, g getConfig) (found bool, err error) {
	d := conn.Dialect()
	if g.lock != "" && !d.Features.ForUpdate {
		g.lock = ""
	}
	args := arguments{}
	args.add(obj, t.Key...)
	cur, err := conn.Query(ctx, &statement{text: textsOf(d, t).get(g.lock), args: args.list})
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
	at := &state{table: t, obj: obj}
	if err := plan.Scan(cur, at.object()); err != nil {
		return false, fmt.Errorf("orm: get from %s: %w", t.FullName(), err)
	}
	return true, nil
}

// Refresh reads an object's row again and overwrites the object with it,
// changes included; see [Fields] for a part of it. An object that is not
// persistent, and a row that is gone, are errors that match [ErrInvalidState].
func (s *Session) Refresh(ctx context.Context, obj any, opts ...GetOption) error {
	g := getConfig{}
	for _, o := range opts {
		if o != nil {
			o.apply(&g)
		}
	}
	g.populate = true
	return s.run(ctx, sp.OpSessionRefresh, func(ctx context.Context) error {
		st, err := s.lookup(obj)
		if err != nil {
			return err
		}
		if st == nil || st.status != persistent {
			return invalid("refresh: the object is not persistent")
		}
		return s.refresh(ctx, st, g)
	})
}

func (s *Session) refresh(ctx context.Context, st *state, g getConfig) error {
	if g.fields == nil {
		st.expire() // so that the flush sends none of its changes
	} else if err := st.expireFields(g.fields); err != nil {
		return err
	}
	fresh := st.table.New()
	for _, c := range st.table.Key {
		c.Copy(fresh, st.snapshot)
	}
	now, err := s.read(ctx, st.table, fresh, g)
	if err == nil && now == nil {
		return invalid("refresh: the row of %s is gone", st.table.FullName())
	}
	if err != nil {
		return err
	}
	for _, r := range st.table.Relations() {
		if slices.Contains(g.fields, r.Field) {
			if _, err := s.loadRelated(ctx, r, []*state{st}); err != nil {
				return err
			}
		}
	}
	return nil
}

// autoflush flushes before a query, unless that is off.
func (s *Session) autoflush(ctx context.Context) error {
	if !s.cfg.autoflush {
		return s.begun()
	}
	if err := s.flush(ctx); err != nil {
		return fmt.Errorf("orm: autoflush: %w", err)
	}
	return nil
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
func (s *Session) Execute(ctx context.Context, st engine.Statement) (res *engine.Result, err error) {
	err = s.run(ctx, sp.OpSessionExecute, func(ctx context.Context) error {
		conn, err := s.ready(ctx)
		if err != nil {
			return err
		}
		res, err = conn.Execute(ctx, st)
		return err
	})
	return res, err
}
