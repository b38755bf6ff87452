package identity

import (
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Expire makes what the object says now the baseline of what is a change. What
// its row is found by stays that of the row, in the object too.
func (st *State) Expire() {
	st.restore(st.Snapshot)
	st.Table.CopyAll(st.Snapshot, st.Object)
	st.Commit(false)
	st.Expired = true
}

// Outdated is expire for an object whose row was changed by another statement:
// changes of it that were not sent yet stay changes.
func (st *State) Outdated() {
	for i := range st.links {
		st.links[i].loaded = false
	}
	st.Expired = true
}

// restore makes the key and the version of the object those of a row.
func (st *State) restore(row memory.Pointer) {
	for _, c := range st.Table.Key {
		c.Copy(st.Object, row)
	}
	if v := st.Table.Version; v != nil {
		v.Copy(st.Object, row)
	}
}

// ExpireFields is expire for some of the fields, by their names or those of
// their columns.
func (st *State) ExpireFields(fields []string) error {
	for _, name := range fields {
		c, r := st.Table.Field(name), st.Table.Relation(name)
		switch {
		case c != nil && (c.PK || c.Version):
			c.Copy(st.Object, st.Snapshot)
		case c != nil:
			c.Copy(st.Snapshot, st.Object)
		case r != nil:
			l := st.committedOf(r)
			l.members, l.loaded = st.Members(r), false
		default:
			return fmt.Errorf("%w: expire: %s, field %q: %w", ErrInvalidState, st.Table.Type.Name(), name, mapping.ErrUnknownField)
		}
	}
	st.Expired = true
	return nil
}

// Refresh brings an object up to its row. What was assigned since the object
// expired is kept, unless overwrite says of a column that it is to be overwritten.
func (st *State) Refresh(row memory.Pointer, overwrite func(*mapping.Column) bool) {
	for _, c := range st.Table.Columns {
		if overwrite(c) || !c.Written() || c.Equal(st.Object, st.Snapshot) {
			c.Copy(st.Object, row)
		}
		c.Copy(st.Snapshot, row)
	}
	st.Expired, st.Partial = false, false
}

// ReadAgain is refresh with some of the columns: whole says that they are all,
// versioned that the version is among them.
func (st *State) ReadAgain(row memory.Pointer, cols []*mapping.Column, populate, whole, versioned bool) {
	for _, c := range cols {
		if populate || !c.Written() || c.Equal(st.Object, st.Snapshot) {
			c.Copy(st.Object, row)
		}
		c.Copy(st.Snapshot, row)
	}
	st.Expired, st.Partial = st.Expired && !whole, st.Partial && !versioned
}

// Named returns the relations among fields.
func (st *State) Named(fields []string) (out []*mapping.Relation) {
	for _, r := range st.Table.Relations() {
		if slices.Contains(fields, r.Field) {
			out = append(out, r)
		}
	}
	return out
}
