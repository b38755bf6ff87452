package orm

import (
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// apply writes what came of the changes into the objects and the session.
func (p *plan) apply(o *objects, j *journal) {
	reserve(o, p.changes)
	for _, c := range p.changes {
		switch c.kind {
		case inserts:
			c.inserted(o, j)
		case updates:
			c.updated(o, j)
		case deletes:
			o.deleted(j, c.st)
		case relinks:
			c.copyBack(c.filled)
			for _, i := range c.filled {
				c.st.table.Columns[i].Copy(c.st.snapshot, c.sent)
			}
		case loosens, links, unlinks: // nothing of it is in a column of an object that stays
		}
	}
	p.deps.commit(j)
	if !o.related {
		return
	}
	m := mirror{objects: o, journal: j}
	for _, c := range p.changes {
		switch c.kind {
		case inserts, updates, relinks:
			m.follow(c)
		case links, unlinks:
			m.paired(c)
		case deletes, loosens:
		}
	}
}

// settle makes what relations hold what changes of them are compared with, if
// there is nothing to send.
func (p *plan) settle(j *journal) { p.deps.commit(j) }

// reserve makes room for the keys of rows that were inserted.
func reserve(o *objects, changes []*change) {
	added := map[*mapping.Table]int{}
	for _, c := range changes {
		if c.kind == inserts {
			added[c.st.table]++
		}
	}
	for t, n := range added {
		o.keys(t).room(n)
	}
}

// copyBack copies columns that the flush has filled in into the object.
func (c *change) copyBack(cols []int) {
	for _, i := range cols {
		c.st.table.Columns[i].Copy(c.st.obj, c.sent)
	}
}

func (c *change) inserted(o *objects, j *journal) {
	cols := c.filledIn()
	c.copyBack(*cols)
	o.inserted(j, c.st, c.sent, identityOf(c.st.table, c.sent), cols, c.unread)
}

// filledIn are the columns that the database, a relation or the session has
// filled in: they were zero in the object.
func (c *change) filledIn() *[]int {
	t := c.st.table
	key, v := t.Key[0], t.Version
	byID := key.Auto && len(c.shape.returning) == 0 && key.Zero(c.st.obj)
	counted := v != nil && v.Zero(c.st.obj)
	if !byID && !counted && len(c.filled) == 0 {
		return &c.shape.returning // shared by all of its shape
	}
	cols := slices.Clone(c.shape.returning)
	if byID {
		cols = append(cols, key.Index)
	}
	if counted {
		cols = append(cols, v.Index)
	}
	cols = append(cols, c.filled...)
	return &cols
}

func (c *change) updated(o *objects, j *journal) {
	st := c.st
	c.copyBack(c.shape.returning)
	c.copyBack(c.filled)
	if v := st.table.Version; v != nil {
		v.Copy(st.obj, c.sent)
	}
	id := identityOf(st.table, c.sent)
	var before unsafe.Pointer
	if st.table.Version != nil || id != st.id {
		before = c.where
	}
	if c.replaces != nil {
		o.tookOver(j, st, c.replaces, c.sent, id, before, c.unread)
	} else {
		o.updated(j, st, c.sent, id, before, c.unread)
	}
}
