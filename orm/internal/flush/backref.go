package flush

import (
	"cmp"
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// backrefs makes the other side of relations hold what a flush has written: a
// pointer follows its foreign key, and a collection that was read in full has
// the objects that refer to its owner.
type backrefs struct {
	objects *identity.Map
	journal *identity.Journal
	held    map[mirrorKey]map[memory.Pointer]bool
}

type mirrorKey struct {
	st *identity.State
	r  *mapping.Relation
}

// syncForeignKey brings the relations of a row's object, and those of the objects that
// it refers to and has referred to, up to its foreign keys.
func (m *backrefs) syncForeignKey(c *change) {
	for _, r := range c.st.Table.Relations() {
		if r.Kind != mapping.BelongsTo || !c.wrote(r.Local) {
			continue
		}
		var parent *identity.State
		if id, ok := identity.KeyBy(r.Local, c.sent); ok {
			parent = m.objects.Find(r.Other, id)
		}
		m.point(c.st, r, parent)
		for _, inverse := range dependency.Inverses(r) {
			if old, ok := identity.KeyBy(r.Local, c.before()); ok {
				if st := m.objects.Find(r.Other, old); st != nil && st != parent {
					m.removeFrom(st, inverse, c.st.Object)
				}
			}
			if parent != nil {
				m.addTo(parent, inverse, c.st.Object)
			}
		}
	}
}

// point makes a pointer follow its foreign key.
func (m *backrefs) point(st *identity.State, r *mapping.Relation, parent *identity.State) {
	if now := identity.First(st.Committed(r)); parent == nil && now != nil || parent != nil && now != parent.Object {
		m.journal.Repoint(st, r)
	}
	st.Point(r, parent)
}

// before returns the row as it was before the change; a new one as it is.
func (c *change) before() memory.Pointer {
	return cmp.Or(c.finds(), c.sent)
}

// wrote reports whether the change has written a foreign key.
func (c *change) wrote(cols []*mapping.Column) bool {
	return slices.ContainsFunc(cols, func(col *mapping.Column) bool {
		return c.kind == Insert || c.kind == postUpdate && slices.Contains(c.filled, col.Index) ||
			c.kind == Update && slices.Contains(c.shape.Cols, col.Index)
	})
}

// of returns what a relation holds, for quick looks.
func (m *backrefs) of(st *identity.State, r *mapping.Relation) map[memory.Pointer]bool {
	key := mirrorKey{st, r}
	held, ok := m.held[key]
	if !ok {
		held = map[memory.Pointer]bool{}
		for _, p := range st.Members(r) {
			held[p] = true
		}
		if m.held == nil {
			m.held = map[mirrorKey]map[memory.Pointer]bool{}
		}
		m.held[key] = held
	}
	return held
}

// addTo makes a relation that was read in full hold an object.
func (m *backrefs) addTo(st *identity.State, r *mapping.Relation, obj memory.Pointer) {
	if !st.Loaded(r) {
		return
	}
	held := m.of(st, r)
	if held[obj] {
		return
	}
	held[obj] = true
	now := append(slices.Clone(st.Members(r)), obj)
	if !r.Many() {
		now = []memory.Pointer{obj}
	}
	r.Set(st.Object, now)
	st.SetCommitted(r, slices.Clone(now))
	m.journal.Saw(st)
}

// removeFrom makes a relation no longer hold an object.
func (m *backrefs) removeFrom(st *identity.State, r *mapping.Relation, obj memory.Pointer) {
	held := m.of(st, r)
	if !held[obj] {
		return
	}
	delete(held, obj)
	other := func(p memory.Pointer) bool { return p == obj }
	r.Set(st.Object, slices.DeleteFunc(slices.Clone(st.Members(r)), other))
	st.SetCommitted(r, slices.DeleteFunc(slices.Clone(st.Committed(r)), other))
	m.journal.Saw(st)
}

// syncPair brings the other side of a many-to-many relation up to what was
// inserted or deleted.
func (m *backrefs) syncPair(c *change) {
	if c.pair.Other == nil {
		return
	}
	for _, inverse := range dependency.Inverses(c.pair.Relation) {
		if c.kind == insertAssociation {
			m.addTo(c.pair.Other, inverse, c.pair.One.Object)
		} else {
			m.removeFrom(c.pair.Other, inverse, c.pair.One.Object)
		}
	}
}
