package load

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Rows are objects that are read.
type Rows struct {
	// Statement is the statement.
	Statement engine.Statement
	// Table is the objects'.
	Table *mapping.Table
	// Populate says that what was changed is overwritten.
	Populate bool
	// Loose says that the objects are not the session's.
	Loose bool

	list []memory.Pointer // what was read, then the objects
	cols []*mapping.Column
}

// Read reads the rows. It touches no object of the session.
func (r *Rows) Read(ctx context.Context, conn *engine.Conn) (err error) {
	cur, err := conn.Query(ctx, r.Statement)
	if err != nil {
		return r.wrap(err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	plan, cols, err := scanOf(conn.Dialect(), r.Table, cur.Names())
	if err != nil {
		return err
	}
	r.cols = cols
	reader, fresh := plan.Reader(cur), r.Table.Blocks(blockRows)
	for cur.Next() {
		row := fresh()
		if err := reader.ScanAt(row); err != nil {
			return r.wrap(err)
		}
		r.list = append(r.list, row)
	}
	return cur.Err()
}

func (r *Rows) wrap(err error) error {
	return fmt.Errorf("orm: select from %s: %w", r.Table.FullName(), err)
}

// Each reads rows and hands over the object of each until yield returns false.
func (l *Loader) Each(ctx context.Context, conn *engine.Conn, r *Rows, yield func(obj memory.Pointer) bool) (err error) {
	cur, err := conn.Query(ctx, r.Statement)
	if err != nil {
		return r.wrap(err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	plan, cols, err := scanOf(conn.Dialect(), r.Table, cur.Names())
	if err != nil {
		return err
	}
	reader := plan.Reader(cur)
	for cur.Next() {
		row := r.Table.New()
		if err := reader.ScanAt(row); err != nil {
			return r.wrap(err)
		}
		st, err := l.object(ctx, r, row, cols)
		if err != nil {
			return err
		}
		if !yield(st.Object) {
			return nil
		}
	}
	return cur.Err()
}

func (l *Loader) object(ctx context.Context, r *Rows, row memory.Pointer, cols []*mapping.Column) (*identity.State, error) {
	if !r.Loose {
		return l.instance(ctx, r.Table, row, cols, r.Populate, nil)
	}
	st := identity.Detached(r.Table, row)
	return st, l.loaded(ctx, st)
}

// Objects returns the objects of rows that were read, which are the session's
// unless they are loose.
func (l *Loader) Objects(ctx context.Context, r *Rows) ([]memory.Pointer, error) {
	if r.Loose {
		for i := 0; l.Tells && i < len(r.list); i++ {
			if err := l.loaded(ctx, identity.Detached(r.Table, r.list[i])); err != nil {
				return nil, err
			}
		}
		return r.list, nil
	}
	l.Map.Reserve(r.Table, len(r.list))
	maker := blocks{snapshots: r.Table.Blocks(blockStates), n: max(1, min(blockStates, len(r.list)/4))}
	for i, row := range r.list {
		st, err := l.instance(ctx, r.Table, row, r.cols, r.Populate, &maker)
		if err != nil {
			return nil, err
		}
		r.list[i] = st.Object
	}
	return r.list, nil
}

// loaded tells an object that it was read, if it wants to know.
func (l *Loader) loaded(ctx context.Context, st *identity.State) error {
	if !l.Tells {
		return nil
	}
	return l.Session.Loaded(ctx, st)
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
	states    []identity.State
	snapshots func() memory.Pointer
	n         int
}

func (b *blocks) state() *identity.State {
	if b == nil {
		return &identity.State{}
	}
	if len(b.states) == 0 {
		b.states = make([]identity.State, b.n)
	}
	st := &b.states[0]
	b.states = b.states[1:]
	return st
}

func (b *blocks) snapshot(t *mapping.Table, row memory.Pointer) memory.Pointer {
	if b == nil {
		return t.Snapshot(row)
	}
	out := b.snapshots()
	t.CopyAll(out, row)
	return out
}

// scanOf returns how rows with columns of these names are read, and which
// columns they are.
func scanOf(d *engine.Dialect, t *mapping.Table, names []string) (*scan.Type, []*mapping.Column, error) {
	cols, err := columnsOf(t, names)
	if err != nil {
		return nil, nil, err
	}
	plan, err := dml.ScanPlan(d, t, dml.IndicesOf(cols))
	return plan, cols, err
}

// columnsOf returns the columns of these names. The key has to be among them.
func columnsOf(t *mapping.Table, names []string) ([]*mapping.Column, error) {
	cols := make([]*mapping.Column, len(names))
	for i, name := range names {
		c := t.Column(name)
		if c == nil {
			return nil, fmt.Errorf("orm: select: %s, column %q: %w", t.FullName(), name, mapping.ErrUnknownField)
		}
		cols[i] = c
	}
	for _, k := range t.Key {
		found := false
		for _, c := range cols {
			found = found || c == k
		}
		if !found {
			return nil, fmt.Errorf("orm: select: the rows lack %q, which is in the key of %s", k.Name, t.FullName())
		}
	}
	return cols, nil
}

// instance returns the session's object of a row that was read, making it if there
// is none. A row with some of the columns leaves an object expired, to be read
// in full when it is asked for.
func (l *Loader) instance(
	ctx context.Context, t *mapping.Table, row memory.Pointer, cols []*mapping.Column, populate bool, b *blocks,
) (*identity.State, error) {
	id := identity.KeyOf(t, row)
	st := l.Map.Find(t, id)
	whole := len(cols) == len(t.Columns)
	versioned := whole || t.Version == nil || slices.Contains(cols, t.Version)
	if st == nil {
		st = b.state()
		l.Map.AddRead(st, t, row, b.snapshot(t, row), id)
		st.Expired, st.Partial = !whole, !versioned
		return st, l.loaded(ctx, st)
	}
	if !st.Expired && !populate {
		return st, nil
	}
	st.ReadAgain(row, cols, populate, whole, versioned)
	l.Map.SyncPointers(st)
	l.Journal.Saw(st)
	return st, l.loaded(ctx, st)
}
