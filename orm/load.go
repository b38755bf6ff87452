package orm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// rows are objects that are read.
type rows struct {
	// st is the statement.
	st engine.Statement
	// table is the objects'.
	table *mapping.Table
	// populate says that what was changed is overwritten.
	populate bool
	// loose says that the objects are not the session's.
	loose bool

	list []unsafe.Pointer // what was read, then the objects
	cols []*mapping.Column
}

// read reads the rows. It touches no object of the session.
func (r *rows) read(ctx context.Context, conn *engine.Conn) (err error) {
	cur, err := conn.Query(ctx, r.st)
	if err != nil {
		return r.wrap(err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	plan, cols, err := scanOf(conn.Dialect(), r.table, cur.Names())
	if err != nil {
		return err
	}
	r.cols = cols
	reader, fresh := plan.Reader(cur), r.table.Blocks(blockRows)
	for cur.Next() {
		row := fresh()
		if err := reader.ScanAt(row); err != nil {
			return r.wrap(err)
		}
		r.list = append(r.list, row)
	}
	return cur.Err()
}

func (r *rows) wrap(err error) error {
	return fmt.Errorf("orm: select from %s: %w", r.table.FullName(), err)
}

// each reads rows and hands over the object of each until yield returns false.
func (l *loader) each(ctx context.Context, conn *engine.Conn, r *rows, yield func(obj unsafe.Pointer) bool) (err error) {
	cur, err := conn.Query(ctx, r.st)
	if err != nil {
		return r.wrap(err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	plan, cols, err := scanOf(conn.Dialect(), r.table, cur.Names())
	if err != nil {
		return err
	}
	reader := plan.Reader(cur)
	for cur.Next() {
		row := r.table.New()
		if err := reader.ScanAt(row); err != nil {
			return r.wrap(err)
		}
		st, err := l.object(ctx, r, row, cols)
		if err != nil {
			return err
		}
		if !yield(st.obj) {
			return nil
		}
	}
	return cur.Err()
}

func (l *loader) object(ctx context.Context, r *rows, row unsafe.Pointer, cols []*mapping.Column) (*state, error) {
	if !r.loose {
		return l.instance(ctx, r.table, row, cols, r.populate, nil)
	}
	st := detached(r.table, row)
	return st, l.loaded(ctx, st)
}

// objectsOf returns the objects of rows that were read, which are the session's
// unless they are loose.
func (l *loader) objectsOf(ctx context.Context, r *rows) ([]unsafe.Pointer, error) {
	if r.loose {
		for i := 0; l.tells && i < len(r.list); i++ {
			if err := l.loaded(ctx, detached(r.table, r.list[i])); err != nil {
				return nil, err
			}
		}
		return r.list, nil
	}
	l.objects.room(r.table, len(r.list))
	maker := blocks{snapshots: r.table.Blocks(blockStates), n: max(1, min(blockStates, len(r.list)/4))}
	for i, row := range r.list {
		st, err := l.instance(ctx, r.table, row, r.cols, r.populate, &maker)
		if err != nil {
			return nil, err
		}
		r.list[i] = st.obj
	}
	return r.list, nil
}

// loaded tells an object that it was read, if it wants to know.
func (l *loader) loaded(ctx context.Context, st *state) error {
	if !l.tells {
		return nil
	}
	return l.session.Loaded(ctx, st)
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

// scanOf returns how rows with columns of these names are read, and which
// columns they are. The key has to be among them.
func scanOf(d *engine.Dialect, t *mapping.Table, names []string) (*scan.Type, []*mapping.Column, error) {
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

// instance returns the session's object of a row that was read, making it if there
// is none. A row with some of the columns leaves an object expired, to be read
// in full when it is asked for.
func (l *loader) instance(
	ctx context.Context, t *mapping.Table, row unsafe.Pointer, cols []*mapping.Column, populate bool, b *blocks,
) (*state, error) {
	id := identityOf(t, row)
	st := l.objects.find(t, id)
	whole := len(cols) == len(t.Columns)
	versioned := whole || t.Version == nil || slices.Contains(cols, t.Version)
	if st == nil {
		st = b.state()
		l.objects.addRead(st, t, row, b.snapshot(t, row), id)
		st.expired, st.partial = !whole, !versioned
		return st, l.loaded(ctx, st)
	}
	if !st.expired && !populate {
		return st, nil
	}
	st.readAgain(row, cols, populate, whole, versioned)
	l.journal.saw(st)
	return st, l.loaded(ctx, st)
}
