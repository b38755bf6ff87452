package orm

import (
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// mirror makes the other side of relations hold what a flush has written: a
// pointer follows its foreign key, and a collection that was read in full has
// the objects that refer to its owner.
type mirror struct {
	objects *objects
	journal *journal
	held    map[mirrorKey]map[unsafe.Pointer]bool
}

type mirrorKey struct {
	st *state
	r  *mapping.Relation
}

// follow brings the relations of a row's object, and those of the objects that
// it refers to and has referred to, up to its foreign keys.
func (m *mirror) follow(c *change) {
	for _, r := range c.st.table.Relations() {
		if r.Kind != mapping.BelongsTo || !c.wrote(r.Local) {
			continue
		}
		var parent *state
		if id, ok := identityBy(r.Local, c.sent); ok {
			parent = m.objects.find(r.Other, id)
		}
		c.st.point(r, parent)
		for _, inverse := range inverses(r) {
			if old, ok := identityBy(r.Local, c.before()); ok {
				if st := m.objects.find(r.Other, old); st != nil && st != parent {
					m.drop(st, inverse, c.st.obj)
				}
			}
			if parent != nil {
				m.keep(parent, inverse, c.st.obj)
			}
		}
	}
}

// before returns the row as it was before the change; a new one as it is.
func (c *change) before() unsafe.Pointer {
	if c.where != nil {
		return c.where
	}
	return c.sent
}

// wrote reports whether the change has written a foreign key.
func (c *change) wrote(cols []*mapping.Column) bool {
	return slices.ContainsFunc(cols, func(col *mapping.Column) bool {
		return c.kind == inserts || c.kind == relinks && slices.Contains(c.filled, col.Index) ||
			c.kind == updates && slices.Contains(c.shape.cols, col.Index)
	})
}

// of returns what a relation holds, for quick looks.
func (m *mirror) of(st *state, r *mapping.Relation) map[unsafe.Pointer]bool {
	key := mirrorKey{st, r}
	held, ok := m.held[key]
	if !ok {
		held = map[unsafe.Pointer]bool{}
		for _, p := range st.members(r) {
			held[p] = true
		}
		if m.held == nil {
			m.held = map[mirrorKey]map[unsafe.Pointer]bool{}
		}
		m.held[key] = held
	}
	return held
}

// keep makes a relation that was read in full hold an object.
func (m *mirror) keep(st *state, r *mapping.Relation, obj unsafe.Pointer) {
	if !st.loaded(r) {
		return
	}
	held := m.of(st, r)
	if held[obj] {
		return
	}
	held[obj] = true
	now := append(slices.Clone(st.members(r)), obj)
	if !r.Many() {
		now = []unsafe.Pointer{obj}
	}
	r.Set(st.obj, now)
	st.linkOf(r).members = slices.Clone(now)
	m.journal.saw(st)
}

// drop makes a relation no longer hold an object.
func (m *mirror) drop(st *state, r *mapping.Relation, obj unsafe.Pointer) {
	held := m.of(st, r)
	if !held[obj] {
		return
	}
	delete(held, obj)
	other := func(p unsafe.Pointer) bool { return p == obj }
	r.Set(st.obj, slices.DeleteFunc(slices.Clone(st.members(r)), other))
	st.linkOf(r).members = slices.DeleteFunc(slices.Clone(st.linked(r)), other)
	m.journal.saw(st)
}

// paired brings the other side of a many-to-many relation up to what was
// inserted or deleted.
func (m *mirror) paired(c *change) {
	if c.pair.other == nil {
		return
	}
	for _, inverse := range inverses(c.pair.r) {
		if c.kind == links {
			m.keep(c.pair.other, inverse, c.pair.one.obj)
		} else {
			m.drop(c.pair.other, inverse, c.pair.one.obj)
		}
	}
}
