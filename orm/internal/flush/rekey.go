package flush

import (
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// following goes through the changes of a flush, in order, and keeps what the rows
// of objects are by then. When one gets another key, the rows that refer to it
// follow: the database sees to that (ON UPDATE CASCADE), or it refuses the change. A
// change that comes later finds such a row by what it is by then.
type following struct {
	objects *identity.Map
	wants   map[*identity.State][]dependency.Ref // what relations want
	rows    map[*identity.State]memory.Pointer   // of those that differ from what was read; nil: it is gone
	moved   map[*identity.State]memory.Pointer   // of those that have followed: what was read
}

// follow goes through the changes; nil if none changes a key. Before they are
// performed it tells them what finds their rows.
func (p *Plan) follow(o *identity.Map) *following {
	if !slices.ContainsFunc(p.changes, (*change).rekeys) {
		return nil
	}
	f := &following{o, p.deps.ForeignKeys, map[*identity.State]memory.Pointer{}, map[*identity.State]memory.Pointer{}}
	for _, c := range p.changes {
		f.pass(c)
	}
	return f
}

// rekeys reports whether the change gives a row another key.
func (c *change) rekeys() bool { return c.kind == Update && c.wrote(c.st.Table.Key) }

// row returns the row of an object as it is by now; nil if it is gone.
func (f *following) row(st *identity.State) memory.Pointer {
	if row, known := f.rows[st]; known {
		return row
	}
	return st.Snapshot
}

func (f *following) pass(c *change) {
	st := c.st
	if c.switchedFrom != nil {
		st = c.switchedFrom
	}
	before := f.row(st)
	if f.moved[st] != nil && c.pair.Relation == nil {
		c.findBy(before)
	}
	switch c.kind {
	case Insert:
		f.refer(c)
		f.rows[st] = c.sent
	case Update:
		f.refer(c)
		f.end(c.switchedFrom)
		f.rows[c.st] = c.sent
		if c.rekeys() {
			f.cascade(st.Table, before, c.sent)
		}
	case Delete:
		f.end(st)
	case postUpdate, nullBeforeDelete, giveUp:
		row := st.Table.Snapshot(before)
		for _, i := range c.filled {
			st.Table.Columns[i].Copy(row, c.sent)
		}
		f.rows[st] = row
		if c.kind == giveUp && slices.ContainsFunc(st.Table.Key, func(k *mapping.Column) bool { return slices.Contains(c.filled, k.Index) }) {
			if f.moved[st] == nil {
				f.moved[st] = st.Snapshot
			}
			f.cascade(st.Table, before, row)
		}
	case insertAssociation:
		c.found, c.foundOther = f.changed(c.pair.One), f.changed(c.pair.Other)
	case deleteAssociation: // goes before any key changes
	}
}

// refer makes the row of a change refer to rows that have followed others, by what
// they are by then.
func (f *following) refer(c *change) {
	for _, w := range f.wants[c.st] {
		if f.moved[w.Parent] == nil {
			continue
		}
		to := f.row(w.Parent)
		for i, col := range w.Cols {
			if !w.Generated(i) && slices.Contains(c.shape.Cols, col.Index) && !col.RefersTo(c.sent, w.Keys[i], to) {
				_ = col.Refer(c.sent, w.Keys[i], to) // if it does not fit, the database will say so
			}
		}
	}
}

// changed returns the row of an object that was there before, if the flush has
// written it.
func (f *following) changed(st *identity.State) memory.Pointer {
	if st == nil || st.Status != identity.Persistent {
		return nil
	}
	return f.rows[st]
}

// end notes that an object has no row any more.
func (f *following) end(st *identity.State) {
	if st != nil {
		f.rows[st] = nil
		delete(f.moved, st)
	}
}

// cascade lets the rows follow that refer to one which gets another key.
func (f *following) cascade(t *mapping.Table, before, now memory.Pointer) {
	if identity.KeyOf(t, before) == identity.KeyOf(t, now) {
		return
	}
	eachReferring(f.objects, t, func(other *mapping.Table, cols, keys []*mapping.Column) {
		for child := range f.objects.OfTable(other) {
			row := f.row(child)
			if child.Status != identity.Persistent || row == nil || !allRefer(cols, keys, row, before) {
				continue
			}
			next := other.Snapshot(row)
			for i, c := range cols {
				_ = c.Refer(next, keys[i], now) // if it does not fit, the database will say so
			}
			f.rows[child] = next
			if f.moved[child] == nil {
				f.moved[child] = child.Snapshot
			}
			f.cascade(other, row, next)
		}
	})
}

// findBy says what finds the row of a change, and that what the change does not
// write stays as it is by then.
func (c *change) findBy(row memory.Pointer) {
	c.more().found = row
	if c.kind != Update || c.switchedFrom != nil {
		return
	}
	for i, col := range c.st.Table.Columns {
		if !slices.Contains(c.shape.Cols, i) && !slices.Contains(c.shape.Returning, i) && !col.Equal(row, c.where) {
			col.Copy(c.sent, row)
		}
	}
}

// verify refuses what would go wrong unnoticed: a row that would refer to another
// one than its object does, or an object that would take over the row of another.
func (f *following) verify(p *Plan) error {
	for _, c := range p.changes {
		if c.switchedFrom != nil && identity.KeyOf(c.st.Table, c.finds()) != identity.KeyOf(c.st.Table, c.sent) {
			return fmt.Errorf("a %s is deleted and added again while its key goes to another row: flush in between", c.st.Table.Type.Name())
		}
	}
	for st, refs := range p.deps.ForeignKeys {
		for _, w := range refs {
			if w.Parent != nil && !f.refers(st, w) {
				return fmt.Errorf("%s.%s would follow another row than %s says, since keys go from row to row in the same flush: flush in between",
					st.Table.Type.Name(), w.Cols[0].Field, w.Field)
			}
		}
	}
	return nil
}

// refers reports whether a row has a foreign key in the end, as far as that is known.
func (f *following) refers(st *identity.State, w dependency.Ref) bool {
	row, to := f.row(st), f.row(w.Parent)
	if row == nil || to == nil {
		return true
	}
	for i, c := range w.Cols {
		if !w.Generated(i) && !c.RefersTo(row, w.Keys[i], to) {
			return false
		}
	}
	return true
}

// apply lets the session's objects follow.
func (f *following) apply(j *identity.Journal) {
	for st, before := range f.moved {
		row := f.rows[st]
		for _, c := range st.Table.Columns {
			if !c.Equal(row, before) && c.Equal(st.Object, before) {
				c.Copy(st.Object, row)
			}
		}
		if st.Snapshot != row { // no change of its own has said so
			f.objects.Updated(j, st, row, identity.KeyOf(st.Table, row), nil, st.Expired)
		}
	}
}

// eachReferring calls fn for each way in which objects refer to those of a table.
func eachReferring(o *identity.Map, t *mapping.Table, fn func(other *mapping.Table, cols, keys []*mapping.Column)) {
	for _, r := range t.Relations() {
		if r.Kind == mapping.HasOne || r.Kind == mapping.HasMany {
			fn(r.Other, r.Remote, r.Local)
		}
	}
	for _, other := range o.Tables() {
		for _, r := range other.Relations() {
			if r.Kind == mapping.BelongsTo && r.Other == t {
				fn(other, r.Local, r.Remote)
			}
		}
	}
}

func allRefer(cols, keys []*mapping.Column, row, to memory.Pointer) bool {
	for i, c := range cols {
		if !c.RefersTo(row, keys[i], to) {
			return false
		}
	}
	return true
}
