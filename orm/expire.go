package orm

import "unsafe"

// expire makes what the object says now the baseline of what is a change. What
// its row is found by stays that of the row, in the object too.
func (st *state) expire() {
	st.restore(st.snapshot)
	st.table.CopyAll(st.snapshot, st.obj)
	st.settle(false)
	st.expired = true
}

// outdated is expire for an object whose row was changed by another statement:
// changes of it that were not sent yet stay changes.
func (st *state) outdated() {
	for i := range st.links {
		st.links[i].loaded = false
	}
	st.expired = true
}

// restore makes the key and the version of the object those of a row.
func (st *state) restore(row unsafe.Pointer) {
	for _, c := range st.table.Key {
		c.Copy(st.obj, row)
	}
	if v := st.table.Version; v != nil {
		v.Copy(st.obj, row)
	}
}

// expireFields is expire for some of the fields, by their names or those of
// their columns.
func (st *state) expireFields(fields []string) error {
	for _, name := range fields {
		c, r := st.table.Field(name), st.table.Relation(name)
		switch {
		case c != nil && (c.PK || c.Version):
			c.Copy(st.obj, st.snapshot)
		case c != nil:
			c.Copy(st.snapshot, st.obj)
		case r != nil:
			l := st.linkOf(r)
			l.members, l.loaded = st.members(r), false
		default:
			return errInvalid("expire: %s has no field %q", st.table.Type.Name(), name)
		}
	}
	st.expired = true
	return nil
}
