package orm

import (
	"slices"
	"unsafe"
)

// apply writes what came of the changes into the objects and the session.
func (p *plan) apply(s *Session) {
	s.objects.expect(p.changes)
	for _, c := range p.changes {
		switch c.kind {
		case inserts:
			c.inserted(s)
		case updates:
			c.updated(s)
		case deletes:
			s.gone(c.st)
		case relinks:
			c.copyBack(c.filled)
			for _, i := range c.filled {
				c.st.table.Columns[i].Copy(c.st.snapshot, c.sent)
			}
		case loosens, links, unlinks: // nothing of it is in a column of an object that stays
		}
	}
	p.settle(s)
	if !s.objects.related {
		return
	}
	m := mirror{Session: s}
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

// settle makes what relations hold the baseline of what is a change.
func (p *plan) settle(s *Session) {
	for _, l := range p.settled {
		l.settle()
		if s.tx != nil && l.st.in != s.tx {
			s.tx.touch(l.st, nil)
		}
	}
}

// copyBack copies columns that the flush has filled in into the object.
func (c *change) copyBack(cols []int) {
	for _, i := range cols {
		c.st.table.Columns[i].Copy(c.st.obj, c.sent)
	}
}

func (c *change) inserted(s *Session) {
	st := c.st
	cols := c.filledIn()
	c.copyBack(*cols)
	st.status, st.snapshot, st.expired = persistent, c.sent, c.unread
	st.id = identityOf(st.table, c.sent)
	s.objects.keys(st.table).put(st)
	st.zeroed, st.insert = cols, nil
	if st.in == nil {
		s.tx.add(st)
	}
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

func (c *change) updated(s *Session) {
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
	switch old := c.replaces; {
	case old != nil: // the row has another object now
		s.gone(old)
		st.status, st.insert = persistent, nil
		s.objects.identify(st, id)
		if st.in == nil {
			s.tx.add(st)
		}
	case id != st.id:
		if _, known := s.tx.keys[st]; !known {
			s.tx.keys[st] = st.id
		}
		s.objects.forget(st)
		s.objects.identify(st, id)
	}
	st.snapshot = c.sent
	st.expired, st.partial = st.expired || c.unread, false
	s.tx.touch(st, before)
}

// gone notes that the row of an object is deleted.
func (s *Session) gone(st *state) {
	s.objects.forget(st)
	st.status, st.marked = deleted, false
	delete(s.objects.implied, st)
	s.tx.deleted[st] = true
}

// settle makes what the relations held when the flush was planned the baseline
// of what is a change.
func (l settlement) settle() {
	for i, r := range l.st.table.Relations() {
		at := l.st.linkOf(r)
		at.members, at.loaded = l.held[i], at.loaded || l.whole
	}
}
