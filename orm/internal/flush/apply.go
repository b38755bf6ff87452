package flush

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Apply writes what came of the changes into the objects and the session.
func (p *Plan) Apply(o *identity.Map, j *identity.Journal) {
	f := p.follow(o)
	reserve(o, p.changes)
	for _, c := range p.changes {
		switch c.kind {
		case Insert:
			c.inserted(o, j)
		case Update:
			c.updated(o, j)
		case Delete:
			o.Deleted(j, c.st)
		case postUpdate:
			c.copyBack(c.filled)
			for _, i := range c.filled {
				c.st.Table.Columns[i].Copy(c.st.Snapshot, c.sent)
			}
		case nullBeforeDelete, giveUp, insertAssociation, deleteAssociation: // nothing of it is in a column of an object that stays
		}
	}
	if f != nil {
		f.apply(j)
	}
	p.deps.Commit(j)
	if !o.Related {
		return
	}
	m := backrefs{objects: o, journal: j}
	for _, c := range p.changes {
		switch c.kind {
		case Insert, Update, postUpdate:
			m.syncForeignKey(c)
		case insertAssociation, deleteAssociation:
			m.syncPair(c)
		case Delete, nullBeforeDelete, giveUp:
		}
	}
}

// CommitBaselines makes what relations hold what changes of them are compared with, if
// there is nothing to send.
func (p *Plan) CommitBaselines(j *identity.Journal) { p.deps.Commit(j) }

// reserve makes room for the keys of rows that were inserted.
func reserve(o *identity.Map, changes []*change) {
	added := map[*mapping.Table]int{}
	for _, c := range changes {
		if c.kind == Insert {
			added[c.st.Table]++
		}
	}
	for t, n := range added {
		o.ReserveKeys(t, n)
	}
}

// copyBack copies columns that the flush has filled in into the object.
func (c *change) copyBack(cols []int) {
	for _, i := range cols {
		c.st.Table.Columns[i].Copy(c.st.Object, c.sent)
	}
}

func (c *change) inserted(o *identity.Map, j *identity.Journal) {
	cols := c.filledIn()
	c.copyBack(*cols)
	o.Inserted(j, c.st, c.sent, identity.KeyOf(c.st.Table, c.sent), cols, c.unread)
}

// filledIn are the columns that the database, a relation or the session has
// filled in: they were zero in the object.
func (c *change) filledIn() *[]int {
	t := c.st.Table
	key, v := t.Key[0], t.Version
	byID := key.Auto && len(c.shape.Returning) == 0 && key.Zero(c.st.Object)
	counted := v != nil && v.Zero(c.st.Object)
	if !byID && !counted && len(c.filled) == 0 {
		return &c.shape.Returning // shared by all of its shape
	}
	cols := slices.Clone(c.shape.Returning)
	if byID {
		cols = append(cols, key.Index)
	}
	if counted {
		cols = append(cols, v.Index)
	}
	cols = append(cols, c.filled...)
	return &cols
}

func (c *change) updated(o *identity.Map, j *identity.Journal) {
	st := c.st
	c.copyBack(c.shape.Returning)
	c.copyBack(c.filled)
	if v := st.Table.Version; v != nil {
		v.Copy(st.Object, c.sent)
	}
	id := identity.KeyOf(st.Table, c.sent)
	var before memory.Pointer
	if st.Table.Version != nil || id != st.Key {
		before = c.where
	}
	if c.switchedFrom != nil {
		o.TookOver(j, st, c.switchedFrom, c.sent, id, before, c.unread)
	} else {
		o.Updated(j, st, c.sent, id, before, c.unread)
	}
}
