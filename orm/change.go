package orm

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// change is what a flush does to one row.
type change struct {
	st        *state
	kind      changeKind
	text      string
	shape     *shape         // of an INSERT or UPDATE
	unread    bool           // it fills in columns that it can't give back
	sent      unsafe.Pointer // the row as it will be
	where     unsafe.Pointer // the row as it was read: what finds it
	performed bool
	*rest
}

// rest is what few changes have.
type rest struct {
	replaces *state      // the object whose row this one takes over
	refs     []reference // foreign keys, of one column each, that are known when others have been inserted
	filled   []int       // columns that relations have filled in
	pair     pair        // of links and unlinks
}

// none is what most changes have; it is not changed.
var none rest

type changeKind uint8

const (
	inserts changeKind = iota
	updates
	deletes
	relinks // sets a foreign key of a row that was inserted without it
	loosens // makes a foreign key NULL, of a row that is to be deleted
	links   // inserts a row between two others
	unlinks // deletes such rows
)

// String says what was tried, for errors.
func (k changeKind) String() string {
	return [...]string{"inserting into", "updating", "deleting from", "updating", "updating", "inserting into", "deleting from"}[k]
}

// shape is what statements have in common that write the same columns of a
// table.
type shape struct {
	cols      []int // those that are written
	returning []int // those that the database gives back
	text      string
}

// fill sets the foreign keys that relations want, as far as they are known.
func (c *change) fill(wants []reference) error {
	if len(wants) > 0 && c.rest == &none {
		c.rest = &rest{}
	}
	for _, w := range wants {
		for i, col := range w.cols {
			c.filled = append(c.filled, col.Index)
			switch {
			case w.parent == nil && (!col.Nullable || col.PK):
				return fmt.Errorf("%s.%s can't be NULL, and %s no longer has the object: delete it, or let the relation do so with cascade:delete or cascade:orphan",
					c.st.table.Type.Name(), col.Field, w.field)
			case w.parent == nil:
				col.SetZero(c.sent)
			case w.generated(i):
				c.refs = append(c.refs, reference{w.cols[i : i+1], w.parent, w.keys[i : i+1], w.field})
			default:
				if err := col.Refer(c.sent, w.keys[i], w.parent.obj); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// change returns a new change. They are made in blocks.
func (p *plan) change() *change {
	if len(p.block) == 0 {
		p.block = make([]change, min(max(8, 2*p.made), 512))
	}
	c := &p.block[0]
	p.block, p.made = p.block[1:], p.made+1
	c.rest = &none
	return c
}

// snapshot returns a copy of an object. Those of a large flush are made in
// blocks.
func (p *plan) snapshot(st *state) unsafe.Pointer {
	if p.newOf != st.table || p.made < 64 {
		p.newOf, p.newSnapshot = st.table, st.table.New
		if p.made >= 64 {
			p.newSnapshot = st.table.Blocks(32)
		}
	}
	out := p.newSnapshot()
	st.table.CopyAll(out, st.obj)
	return out
}

// newInsert plans the INSERT of a pending object.
func (p *plan) newInsert(st *state, wants []reference) (*change, error) {
	c := p.change()
	c.st, c.kind, c.sent = st, inserts, p.snapshot(st)
	if err := c.fill(wants); err != nil {
		return nil, err
	}
	cols, returning := p.cols[:0], p.returning[:0]
	auto := false
	for i, col := range st.table.Columns {
		switch {
		case slices.Contains(c.filled, i):
		case col.Version && col.Int(c.sent) == 0:
			if err := col.SetInt(c.sent, 1); err != nil {
				return nil, err
			}
		case col.Auto && col.Zero(c.sent):
			auto = true
			returning = append(returning, i)
			continue
		case col.Generated || (col.Default || col.ReadOnly) && col.Zero(c.sent):
			returning = append(returning, i)
			continue
		case col.ReadOnly:
			continue
		}
		cols = append(cols, i)
	}
	if !p.dialect.Features.InsertReturning {
		c.unread = len(returning) > 1 || len(returning) == 1 && !auto
		returning = returning[:0]
	}
	c.shape = p.shapeOf(inserts, st.table, cols, returning)
	c.text = c.shape.text
	st.send(c.sent, c.unknown(st.table.Key))
	return c, nil
}

// newUpdate plans the UPDATE of a persistent object; nil if there is nothing
// to send.
func (p *plan) newUpdate(st *state, wants []reference) (*change, error) {
	c := p.change()
	c.st, c.kind, c.sent, c.where = st, updates, p.snapshot(st), p.where(st)
	if err := c.fill(wants); err != nil {
		return nil, err
	}
	cols := st.table.AppendChanged(p.cols[:0], c.sent, st.snapshot)
	for _, r := range c.refs {
		if i := r.cols[0].Index; !slices.Contains(cols, i) {
			cols = append(cols, i)
		}
	}
	return p.update(c, cols)
}

// newSwitch plans the UPDATE of a row that is to have another object.
func (p *plan) newSwitch(st, old *state, wants []reference) (*change, error) {
	c := &change{st: st, kind: updates, sent: st.table.Snapshot(st.obj), where: p.where(old), rest: &rest{replaces: old}}
	if err := c.fill(wants); err != nil {
		return nil, err
	}
	cols := p.cols[:0]
	for i, col := range st.table.Columns {
		if !col.PK && !(col.Default && col.Zero(c.sent)) {
			cols = append(cols, i)
		}
	}
	st.send(c.sent, false)
	c, err := p.update(c, cols)
	if c == nil && err == nil {
		err = fmt.Errorf("the row of %s is deleted and added again, and has no column to write", st.table.FullName())
	}
	return c, err
}

// update completes an UPDATE of these columns; nil if none of them is written.
func (p *plan) update(c *change, cols []int) (*change, error) {
	t := c.st.table
	cols = slices.DeleteFunc(cols, func(i int) bool {
		col := t.Columns[i]
		return col.Generated || col.ReadOnly || col.Version
	})
	if len(cols) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to do, which is no error
	}
	if v := t.Version; v != nil {
		if err := v.SetInt(c.sent, v.Int(c.where)+1); err != nil {
			return nil, err
		}
		cols = append(cols, v.Index)
	}
	returning := p.returning[:0]
	for i, col := range t.Columns {
		if col.Generated {
			returning = append(returning, i)
		}
	}
	if !p.dialect.Features.UpdateReturning {
		c.unread, returning = len(returning) > 0, returning[:0]
	}
	c.shape = p.shapeOf(updates, t, cols, returning)
	c.text = c.shape.text
	if found := c.replaces; found != nil {
		p.learn(c, found)
	} else {
		p.learn(c, c.st)
	}
	return c, nil
}

// shapeOf returns the shape of a statement. It is made once.
func (p *plan) shapeOf(kind changeKind, t *mapping.Table, cols, returning []int) *shape {
	p.cols, p.returning = cols[:0], returning[:0]
	if last := p.last; last != nil && p.lastOf == t && p.lastKind == kind && slices.Equal(last.cols, cols) && slices.Equal(last.returning, returning) {
		return last
	}
	x := textsOf(p.dialect, t)
	p.lastOf, p.lastKind = t, kind
	if kind == inserts {
		p.last = x.insertShape(cols, returning)
	} else {
		p.last = x.updateShape(cols, returning)
	}
	return p.last
}

// newDelete plans the DELETE of a persistent object.
func (p *plan) newDelete(st *state) *change {
	c := &change{st: st, kind: deletes, where: p.where(st), rest: &none, text: textsOf(p.dialect, st.table).delete()}
	p.learn(c, st)
	return c
}

// newRelink plans the UPDATE that sets a foreign key which the INSERT leaves
// out.
func (p *plan) newRelink(e edge) *change {
	from := e.from
	c := &change{st: from.st, kind: relinks, sent: from.st.table.Snapshot(from.sent), where: from.sent, rest: &rest{}}
	for _, col := range e.key.local {
		c.filled = append(c.filled, col.Index)
		if w := from.waitsFor(col); w != nil {
			c.refs = append(c.refs, *w)
			from.refs = slices.DeleteFunc(from.refs, func(w reference) bool { return w.cols[0] == col })
		}
		col.SetZero(from.sent)
	}
	c.text = textsOf(p.dialect, c.st.table).set(c.filled)
	return c
}

// newLoosen plans the UPDATE that makes a foreign key NULL.
func (p *plan) newLoosen(e edge) *change {
	c := &change{st: e.from.st, kind: loosens, sent: e.from.st.table.Snapshot(e.from.where), where: e.from.where, rest: &rest{}}
	for _, col := range e.key.local {
		c.filled = append(c.filled, col.Index)
		col.SetZero(c.sent)
	}
	c.text = textsOf(p.dialect, c.st.table).set(c.filled)
	return c
}

// newPair plans the INSERT or DELETE of a row between two others; of all rows
// of the one if there is no other.
func (p *plan) newPair(kind changeKind, l pair) *change {
	c := &change{st: l.one, kind: kind, rest: &rest{pair: l}}
	if kind == links {
		c.text = insertAssociation(p.dialect, l.r)
	} else {
		c.text = deleteAssociation(p.dialect, l.r, l.other == nil)
	}
	return c
}

// row returns the columns that count: as they will be, or, of a row that is to
// be deleted, as they were read.
func (c *change) row(gone bool) unsafe.Pointer {
	if gone {
		return c.where
	}
	return c.sent
}

// unknown reports whether a key is not known before the row is inserted.
func (c *change) unknown(key []*mapping.Column) bool {
	return c.kind == inserts && !c.performed && slices.ContainsFunc(key, func(col *mapping.Column) bool { return col.Zero(c.sent) })
}

// waits reports whether the change needs the key of a row that is not yet
// inserted.
func (c *change) waits() bool {
	if c.pair.r != nil {
		return c.pair.one.keyless || c.pair.other != nil && c.pair.other.keyless
	}
	return slices.ContainsFunc(c.refs, func(w reference) bool { return w.parent != nil && w.parent.keyless })
}

// bind fills in the foreign keys that are known now, and appends the arguments.
func (c *change) bind(a *arguments) error {
	for _, w := range c.refs {
		if err := w.cols[0].Refer(c.sent, w.keys[0], w.parent.sent); err != nil {
			return err
		}
	}
	t := c.st.table
	switch c.kind {
	case inserts:
		a.addAt(c.sent, t, c.shape.cols)
	case updates:
		a.addAt(c.sent, t, c.shape.cols)
		a.row(t, c.where)
	case deletes:
		a.row(t, c.where)
	case relinks, loosens:
		a.addAt(c.sent, t, c.filled)
		a.add(c.where, t.Key...)
	case links, unlinks:
		a.add(c.pair.one.row(), c.pair.r.Local...)
		if c.pair.other != nil {
			a.add(c.pair.other.row(), c.pair.r.Remote...)
		}
	}
	return a.err
}

// width returns about how many arguments bind appends.
func (c *change) width() int {
	n := len(c.st.table.Key) + 1
	if c.shape != nil {
		n += len(c.shape.cols)
	}
	return n
}

// check compares what came of the change with what had to.
func (c *change) check(d *engine.Dialect, res *engine.Result) error {
	n := res.RowsAffected()
	if c.kind == inserts || c.kind >= relinks || n == 1 || n < 0 || c.kind == updates && !d.Features.MatchedRows {
		return nil
	}
	if c.kind == deletes && c.st.table.Version == nil {
		return nil // it is gone, which is what was wanted
	}
	return &staleError{Table: c.st.table.FullName(), Key: keyValues(c.st.table, c.where), Rows: n}
}

// failed says which change an error is about.
func (c *change) failed(err error) error {
	name := c.st.table.FullName()
	if c.pair.r != nil {
		name = c.pair.r.Through.Name
	}
	return fmt.Errorf("orm: flush: %s %s: %w", c.kind, name, err)
}
