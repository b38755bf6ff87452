package flush

import (
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// followKey gives the new key of an object to the session's objects that refer to
// it: the database has done so with their rows (ON UPDATE CASCADE), or it would
// have refused the change. before is the row with the key that it had.
func followKey(o *identity.Map, j *identity.Journal, st *identity.State, before unsafe.Pointer) {
	for _, r := range st.Table.Relations() {
		if r.Kind == mapping.HasOne || r.Kind == mapping.HasMany {
			followBy(o, j, st, before, r.Other, r.Remote, r.Local)
		}
	}
	for _, t := range o.Tables() {
		for _, r := range t.Relations() {
			if r.Kind == mapping.BelongsTo && r.Other == st.Table {
				followBy(o, j, st, before, t, r.Local, r.Remote)
			}
		}
	}
}

// followBy is followKey for the foreign key of one table.
func followBy(o *identity.Map, j *identity.Journal, st *identity.State, before unsafe.Pointer, t *mapping.Table, cols, keys []*mapping.Column) {
	var children []*identity.State
	for child := range o.OfTable(t) {
		if child.Status == identity.Persistent && allRefer(cols, keys, child.Snapshot, before) {
			children = append(children, child)
		}
	}
	for _, child := range children {
		old, row := child.Snapshot, t.Snapshot(child.Snapshot)
		for i, c := range cols {
			if c.Refer(row, keys[i], st.Snapshot) == nil && c.Equal(child.Object, old) {
				c.Copy(child.Object, row)
			}
		}
		o.Updated(j, child, row, identity.KeyOf(t, row), nil, child.Expired)
		if identity.KeyOf(t, old) != child.Key {
			followKey(o, j, child, old)
		}
	}
}

func allRefer(cols, keys []*mapping.Column, row, to unsafe.Pointer) bool {
	for i, c := range cols {
		if !c.RefersTo(row, keys[i], to) {
			return false
		}
	}
	return true
}
