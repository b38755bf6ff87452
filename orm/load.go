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
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// load runs a statement whose rows are objects of a type, after a flush, and
// hands over the session's object of each row until yield returns false.
func (s *Session) load(ctx context.Context, typ reflect.Type, l *loading, yield func(obj unsafe.Pointer) bool) (err error) {
	t, err := mapping.Of(typ)
	if err != nil {
		return err
	}
	conn, err := s.ready(ctx)
	if err != nil {
		return err
	}
	cur, err := conn.Query(ctx, l.st)
	if err != nil {
		return fmt.Errorf("orm: select from %s: %w", t.FullName(), err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	plan, cols, err := loaderOf(conn.Dialect(), t, cur.Names())
	if err != nil {
		return err
	}
	reader := plan.Reader(cur)
	for cur.Next() {
		row := t.New()
		if err := reader.ScanAt(row); err != nil {
			return fmt.Errorf("orm: select from %s: %w", t.FullName(), err)
		}
		st := &state{table: t, obj: row}
		if l.loose {
			err = s.afterLoad(ctx, st)
		} else {
			st, err = s.take(ctx, t, row, cols, l.populate, nil)
		}
		if err != nil {
			return err
		}
		if !yield(st.obj) {
			return nil
		}
	}
	return cur.Err()
}

// loading is the reading of objects, after a flush.
type loading struct {
	flushing
	table    *mapping.Table
	st       engine.Statement
	populate bool
	loose    bool // the objects are not the session's

	rows []unsafe.Pointer // what was read, then the objects
	cols []*mapping.Column
}

// perform reads the rows.
func (l *loading) perform(ctx context.Context) (err error) {
	if err := l.flushing.perform(ctx); err != nil {
		return err
	}
	conn, err := l.s.connect(ctx)
	if err != nil {
		return err
	}
	cur, err := conn.Query(ctx, l.st)
	if err != nil {
		return l.wrap(err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	plan, cols, err := loaderOf(conn.Dialect(), l.table, cur.Names())
	if err != nil {
		return err
	}
	l.cols = cols
	reader, fresh := plan.Reader(cur), l.table.Blocks(blockRows)
	for cur.Next() {
		row := fresh()
		if err := reader.ScanAt(row); err != nil {
			return l.wrap(err)
		}
		l.rows = append(l.rows, row)
	}
	return cur.Err()
}

func (l *loading) wrap(err error) error {
	return fmt.Errorf("orm: select from %s: %w", l.table.FullName(), err)
}

// apply returns the objects of the rows, which are the session's unless they are
// loose.
func (l *loading) apply(ctx context.Context) ([]unsafe.Pointer, error) {
	if err := l.flushing.apply(ctx); err != nil {
		return nil, err
	}
	if l.loose {
		return l.rows, l.told(ctx)
	}
	l.s.objects.room(l.table, len(l.rows))
	maker := blocks{snapshots: l.table.Blocks(blockStates), n: max(1, min(blockStates, len(l.rows)/4)), silent: !hooksOf(l.table).load}
	for i, row := range l.rows {
		st, err := l.s.take(ctx, l.table, row, l.cols, l.populate, &maker)
		if err != nil {
			return nil, err
		}
		l.rows[i] = st.obj
	}
	return l.rows, nil
}

// told tells loose objects that they were read.
func (l *loading) told(ctx context.Context) error {
	if !hooksOf(l.table).load {
		return nil
	}
	for _, row := range l.rows {
		if err := l.s.afterLoad(ctx, &state{table: l.table, obj: row}); err != nil {
			return err
		}
	}
	return nil
}

// objectsOf returns objects as pointers of their type, in the same memory; never
// nil.
func objectsOf[T any](objs []unsafe.Pointer) []*T {
	if len(objs) == 0 {
		return []*T{}
	}
	return unsafe.Slice((**T)(unsafe.Pointer(unsafe.SliceData(objs))), len(objs)) //nolint:gosec // pointers read as pointers
}

// objectsTask is a task that reads objects, of which give makes the result.
func objectsTask[T any](
	s *Session, op sp.Op, typ reflect.Type, l *loading, give func(objs []unsafe.Pointer) (T, error),
) *Task[T] {
	l.flushing = flushing{s: s, auto: true}
	task := &Task[T]{s: s, op: op, perform: l.perform, undo: l.undo}
	task.plan = func(ctx context.Context) (err error) {
		if l.table, err = mapping.Of(typ); err != nil {
			return err
		}
		err = l.plan(ctx)
		task.barrier, task.single = l.needed(), !l.needed()
		return err
	}
	task.apply = func(ctx context.Context) (out T, err error) {
		objs, err := l.apply(ctx)
		if err != nil {
			return out, err
		}
		return give(objs)
	}
	return task
}

// Objects that are read together are made in blocks, of as many at most. Who
// keeps one keeps its block.
const (
	blockRows   = 8
	blockStates = 32 // what only the session knows
)

// blocks makes states and snapshots, several at a time. A nil one makes them
// one by one.
type blocks struct {
	states    []state
	snapshots func() unsafe.Pointer
	n         int
	silent    bool // the objects need not be told that they were read
}

func (b *blocks) state() *state {
	if b == nil {
		return &state{}
	}
	if len(b.states) == 0 {
		b.states = make([]state, b.n)
	}
	st := &b.states[0]
	b.states = b.states[1:]
	return st
}

func (b *blocks) snapshot(t *mapping.Table, row unsafe.Pointer) unsafe.Pointer {
	if b == nil {
		return t.Snapshot(row)
	}
	out := b.snapshots()
	t.CopyAll(out, row)
	return out
}

// loaderOf returns how rows with columns of these names are read, and which
// columns they are. The key has to be among them.
func loaderOf(d *engine.Dialect, t *mapping.Table, names []string) (*scan.Type, []*mapping.Column, error) {
	cols := make([]*mapping.Column, len(names))
	indices := make([]int, len(names))
	for i, name := range names {
		c := t.Column(name)
		if c == nil {
			return nil, nil, fmt.Errorf("orm: select: %s has no column %q", t.FullName(), name)
		}
		cols[i], indices[i] = c, c.Index
	}
	for _, k := range t.Key {
		found := false
		for _, c := range cols {
			found = found || c == k
		}
		if !found {
			return nil, nil, fmt.Errorf("orm: select: the rows lack %q, which is in the key of %s", k.Name, t.FullName())
		}
	}
	plan, err := planOf(d, t, indices)
	return plan, cols, err
}

// take returns the session's object of a row that was read, making it if there
// is none. A row with some of the columns leaves an object expired, to be read
// in full when it is asked for.
func (s *Session) take(
	ctx context.Context, t *mapping.Table, row unsafe.Pointer, cols []*mapping.Column, populate bool, b *blocks,
) (*state, error) {
	id := identityOf(t, row)
	st := s.objects.find(t, id)
	whole := len(cols) == len(t.Columns)
	versioned := whole || t.Version == nil || slices.Contains(cols, t.Version)
	if st == nil {
		st = b.state()
		st.table, st.obj, st.status, st.snapshot, st.id = t, row, persistent, b.snapshot(t, row), id
		st.expired, st.partial = !whole, !versioned
		s.objects.add(st)
		s.objects.keys(t).put(st)
		if b != nil && b.silent {
			return st, nil
		}
		return st, s.afterLoad(ctx, st)
	}
	if !st.expired && !populate {
		return st, nil
	}
	for _, c := range cols {
		if populate || c.Equal(st.obj, st.snapshot) {
			c.Copy(st.obj, row)
		}
		c.Copy(st.snapshot, row)
	}
	st.expired, st.partial = st.expired && !whole, st.partial && !versioned
	s.saw(st)
	return st, s.afterLoad(ctx, st)
}
