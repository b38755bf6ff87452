package flush

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// change is what a flush does to one row.
type change struct {
	st        *identity.State
	kind      Kind
	text      string
	shape     *dml.Shape     // of an INSERT or UPDATE
	unread    bool           // it fills in columns that it can't give back
	sent      memory.Pointer // the row as it will be
	where     memory.Pointer // the row as it was read: what finds it
	performed bool
	*rest
}

// rest is what few changes have.
type rest struct {
	switchedFrom *identity.State  // the object whose row this one takes over
	refs         []dependency.Ref // foreign keys, of one column each, that are known when others have been inserted
	filled       []int            // columns that relations have filled in
	pair         dependency.Pair  // of links and unlinks
	found        memory.Pointer   // what finds the row, if a key that it refers to has changed by then; or the one of a link
	foundOther   memory.Pointer   // the other of a link
	unsaid       []int            // columns whose default has to be read first, to be written
	circle       *mapping.Unique  // it takes the value of a row that can't give it up before
}

// none is what most changes have; it is not changed.
var none rest

// more returns the change's own rest.
func (c *change) more() *rest {
	if c.rest == &none {
		c.rest = &rest{}
	}
	return c.rest
}

// Kind is what a change does.
type Kind uint8

const (
	// Insert inserts the row of an object.
	Insert Kind = iota
	// Update updates it.
	Update
	// Delete deletes it.
	Delete
	postUpdate        // sets a foreign key of a row that was inserted without it
	nullBeforeDelete  // makes a foreign key NULL, of a row that is to be deleted
	giveUp            // takes a unique value from a row that is updated later
	insertAssociation // inserts a row between two others
	deleteAssociation // deletes such rows
)

// String says what was tried, for errors.
func (k Kind) String() string {
	return [...]string{"inserting into", "updating", "deleting from", "updating", "updating", "updating", "inserting into", "deleting from"}[k]
}

// fill sets the foreign keys that relations want, as far as they are known.
func (c *change) fill(wants []dependency.Ref) error {
	if len(wants) > 0 {
		c.more()
	}
	for _, w := range wants {
		lets := slices.ContainsFunc(w.Cols, func(col *mapping.Column) bool { return col.Nullable && !col.PK })
		for i, col := range w.Cols {
			switch stays := !col.Nullable || col.PK; {
			case w.Parent == nil && stays && lets:
				continue // it is the row's own as well, and one that is NULL will do
			case slices.Contains(c.filled, col.Index) && w.Parent != nil && !w.Generated(i) && col.RefersTo(c.sent, w.Keys[i], w.Parent.Object):
				continue // another relation wants the same
			case slices.Contains(c.filled, col.Index) && w.Parent != nil:
				return fmt.Errorf("two relations want different values for %s.%s, and one of them is %s", c.st.Table.Type.Name(), col.Field, w.Field)
			}
			c.filled = append(c.filled, col.Index)
			switch {
			case w.Parent == nil && (!col.Nullable || col.PK):
				return fmt.Errorf("%s.%s can't be NULL, and %s no longer has the object: delete it, or let the relation do so with cascade:delete or cascade:orphan",
					c.st.Table.Type.Name(), col.Field, w.Field)
			case w.Parent == nil:
				col.SetZero(c.sent)
			case w.Generated(i):
				c.refs = append(c.refs, dependency.Ref{Cols: w.Cols[i : i+1], Parent: w.Parent, Keys: w.Keys[i : i+1], Field: w.Field})
			default:
				if err := col.Refer(c.sent, w.Keys[i], w.Parent.Object); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// change returns a new change. They are made in blocks.
func (p *Plan) change() *change {
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
func (p *Plan) snapshot(st *identity.State) memory.Pointer {
	if p.newOf != st.Table || p.made < 64 {
		p.newOf, p.newSnapshot = st.Table, st.Table.New
		if p.made >= 64 {
			p.newSnapshot = st.Table.Blocks(32)
		}
	}
	out := p.newSnapshot()
	st.Table.CopyAll(out, st.Object)
	return out
}

// newInsert plans the INSERT of a pending object.
func (p *Plan) newInsert(st *identity.State, wants []dependency.Ref) (*change, error) {
	c := p.change()
	c.st, c.kind, c.sent = st, Insert, p.snapshot(st)
	if err := c.fill(wants); err != nil {
		return nil, err
	}
	cols, returning := p.cols[:0], p.returning[:0]
	auto := false
	for i, col := range st.Table.Columns {
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
	c.shape = p.shapeOf(Insert, st.Table, cols, returning)
	c.text = c.shape.Text
	st.Send(c.sent, c.unknown(st.Table.Key))
	return c, nil
}

// newUpdate plans the UPDATE of a persistent object; nil if there is nothing
// to send.
func (p *Plan) newUpdate(st *identity.State, wants []dependency.Ref) (*change, error) {
	c := p.change()
	c.st, c.kind, c.sent, c.where = st, Update, p.snapshot(st), p.where(st)
	if err := c.fill(wants); err != nil {
		return nil, err
	}
	cols := st.Table.AppendChanged(p.cols[:0], c.sent, st.Snapshot)
	for _, r := range c.refs {
		if i := r.Cols[0].Index; !slices.Contains(cols, i) {
			cols = append(cols, i)
		}
	}
	for _, w := range wants {
		if (w.NewKey() || st.Expired) && !slices.ContainsFunc(w.Cols, func(col *mapping.Column) bool { return slices.Contains(cols, col.Index) }) {
			for _, col := range w.Cols { // it would follow the row that has had the key, or is not known to refer to it
				cols = append(cols, col.Index)
			}
		}
	}
	return p.update(c, cols, nil)
}

// newRowSwitch plans the UPDATE of a row that is to have another object.
func (p *Plan) newRowSwitch(st, old *identity.State, wants []dependency.Ref) (*change, error) {
	c := &change{st: st, kind: Update, sent: st.Table.Snapshot(st.Object), where: p.where(old), rest: &rest{switchedFrom: old}}
	if err := c.fill(wants); err != nil {
		return nil, err
	}
	cols := p.cols[:0]
	var defaults []int
	for i, col := range st.Table.Columns {
		switch {
		case col.PK:
		case col.Default && col.Zero(c.sent) && !slices.Contains(c.filled, i):
			defaults = append(defaults, i)
		default:
			cols = append(cols, i)
		}
	}
	st.Send(c.sent, false)
	c, err := p.update(c, cols, defaults)
	if c == nil && err == nil {
		err = fmt.Errorf("the row of %s is deleted and added again, and has no column to write", st.Table.FullName())
	}
	return c, err
}

// update completes an UPDATE of these columns; nil if none of them is written.
// defaults are columns that get the database's own value.
func (p *Plan) update(c *change, cols, defaults []int) (*change, error) {
	t := c.st.Table
	cols = slices.DeleteFunc(cols, func(i int) bool {
		col := t.Columns[i]
		return col.Generated || col.ReadOnly || col.Version
	})
	if len(cols)+len(defaults) == 0 {
		return nil, nil
	}
	if v := t.Version; v != nil {
		if err := v.SetInt(c.sent, v.Int(c.where)+1); err != nil {
			return nil, err
		}
		cols = append(cols, v.Index)
	}
	returning := p.returning[:0]
	for i, col := range t.Columns {
		if col.Generated || slices.Contains(defaults, i) {
			returning = append(returning, i)
		}
	}
	if !p.dialect.Features.UpdateReturning {
		c.unread, returning = len(returning) > 0, returning[:0]
	}
	if len(defaults) > 0 {
		p.cols, p.returning = cols[:0], returning[:0]
		x := dml.For(p.dialect, t)
		c.shape = x.TakeOverShape(cols, defaults, returning)
		if c.unsaid = x.Unsaid(defaults); len(c.unsaid) > 0 {
			p.unsaid = append(p.unsaid, c)
		}
	} else {
		c.shape = p.shapeOf(Update, t, cols, returning)
	}
	c.text = c.shape.Text
	if found := c.switchedFrom; found != nil {
		p.learn(c, found)
	} else {
		p.learn(c, c.st)
	}
	return c, nil
}

// shapeOf returns the shape of a statement. It is made once.
func (p *Plan) shapeOf(kind Kind, t *mapping.Table, cols, returning []int) *dml.Shape {
	p.cols, p.returning = cols[:0], returning[:0]
	if last := p.last; last != nil && p.lastOf == t && p.lastKind == kind && slices.Equal(last.Cols, cols) && slices.Equal(last.Returning, returning) {
		return last
	}
	x := dml.For(p.dialect, t)
	p.lastOf, p.lastKind = t, kind
	if kind == Insert {
		p.last = x.InsertShape(cols, returning)
	} else {
		p.last = x.UpdateShape(cols, returning)
	}
	return p.last
}

// newDelete plans the DELETE of a persistent object.
func (p *Plan) newDelete(st *identity.State) *change {
	c := &change{st: st, kind: Delete, where: p.where(st), rest: &none, text: dml.For(p.dialect, st.Table).Delete()}
	p.learn(c, st)
	return c
}

// row returns the columns that count: as they will be, or, of a row that is to
// be deleted, as they were read.
func (c *change) row(gone bool) memory.Pointer {
	if gone {
		return c.where
	}
	return c.sent
}

// unknown reports whether a key is not known before the row is inserted.
func (c *change) unknown(key []*mapping.Column) bool {
	return c.kind == Insert && !c.performed && slices.ContainsFunc(key, func(col *mapping.Column) bool { return col.Zero(c.sent) })
}

// waits reports whether the change needs the key of a row that is not yet
// inserted.
func (c *change) waits() bool {
	if c.pair.Relation != nil {
		return c.pair.One.Keyless || c.pair.Other != nil && c.pair.Other.Keyless
	}
	return slices.ContainsFunc(c.refs, func(w dependency.Ref) bool { return w.Parent != nil && w.Parent.Keyless })
}

// bind fills in the foreign keys that are known now, and appends the arguments.
func (c *change) bind(a *dml.Args) error {
	for _, w := range c.refs {
		if err := w.Cols[0].Refer(c.sent, w.Keys[0], w.Parent.Sent); err != nil {
			return err
		}
	}
	t := c.st.Table
	switch c.kind {
	case Insert:
		a.AddAt(c.sent, t, c.shape.Cols)
	case Update:
		a.AddAt(c.sent, t, c.shape.Cols)
		a.AddRow(t, c.finds())
	case Delete:
		a.AddRow(t, c.finds())
	case postUpdate, nullBeforeDelete, giveUp:
		a.AddAt(c.sent, t, c.filled)
		a.Add(c.finds(), t.Key...)
	case insertAssociation, deleteAssociation:
		a.Add(cmp.Or(c.found, c.pair.One.Row()), c.pair.Relation.Local...)
		if c.pair.Other != nil {
			a.Add(cmp.Or(c.foundOther, c.pair.Other.Row()), c.pair.Relation.Remote...)
		}
	}
	return a.Err
}

// finds returns the row that finds the change's.
func (c *change) finds() memory.Pointer { return cmp.Or(c.found, c.where) }

// width returns about how many arguments bind appends.
func (c *change) width() int {
	n := len(c.st.Table.Key) + 1
	if c.shape != nil {
		n += len(c.shape.Cols)
	}
	return n
}

// check compares what came of the change with what had to.
func (c *change) check(d *engine.Dialect, res *engine.Result) error {
	n := res.RowsAffected()
	if c.kind == Insert || c.kind >= postUpdate || n == 1 || n < 0 || c.kind == Update && !d.Features.MatchedRows {
		return nil
	}
	if c.kind == Delete && c.st.Table.Version == nil {
		return nil // it is gone, which is what was wanted
	}
	return &identity.StaleError{Table: c.st.Table.FullName(), Key: identity.KeyValues(c.st.Table, c.where), Rows: n}
}

// failed says which change an error is about.
func (c *change) failed(err error) error {
	name := c.st.Table.FullName()
	if c.pair.Relation != nil {
		name = c.pair.Relation.Through.Name
	}
	if violated, ok := errors.AsType[*integrity.Error](err); ok && violated.Kind == integrity.Unique && c.circle != nil {
		var cols []string
		for _, col := range c.circle.Columns {
			cols = append(cols, col.Field)
		}
		return fmt.Errorf("orm: flush: %s %s: rows exchange %s, which no row can give up before another takes it: flush in between: %w",
			c.kind, name, strings.Join(cols, ", "), err)
	}
	return fmt.Errorf("orm: flush: %s %s: %w", c.kind, name, err)
}
