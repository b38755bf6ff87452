// Package identity keeps what a session knows of its objects: which there are, what they
// are to it, what their rows were, and what a rollback has to undo. It knows
// neither SQL nor an engine.
package identity

import (
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Status is the state of an object in its session. What the session does not
// know is transient or detached.
type Status uint8

const (
	// Pending is added and not yet inserted.
	Pending Status = iota
	// Persistent is a row of the database.
	Persistent
	// Deleted is a row whose DELETE was flushed, while the transaction is open.
	Deleted
)

// State is what a session knows of an object.
type State struct {
	Table    *mapping.Table // of the object
	Object   memory.Pointer // where it is
	Snapshot memory.Pointer // the row as it was last seen; nil while pending
	Key      Key            // of a persistent or deleted object
	Order    int            // of its addition
	links    []committed    // of its relations; nil: nothing known
	Status   Status         // changes by the functions of verbs.go only
	Marked   bool           // to be deleted by the next flush
	Dropped  bool           // it has left the session
	Tracked  bool           // while pending it was held by what owns it
	Expired  bool           // the snapshot is only a baseline: the row may have changed
	Partial  bool           // the row's version was never read

	journal *Journal       // became pending or persistent in it, or nil
	zeroed  *[]int         // columns that were zero before a flush filled them in, or nil
	Sent    memory.Pointer // the row that a flush inserts or takes over, until that is applied
	Keyless bool           // the key of that row is not known yet
}

// Value returns the object of a state, as a pointer to its type.
func (st *State) Value() any { return st.Table.Object(st.Object) }

// Discarded reports whether the object is pending, and will not be inserted.
func (st *State) Discarded() bool { return st.Status == Pending && st.Marked }

// Related reports whether an object of the session has relations that a flush
// looks at.
func (st *State) Related() bool {
	return st.Status != Deleted && !st.Marked && len(st.Table.Relations()) > 0
}

// RefersTo reports whether a row of the object has the foreign key of a relation's
// owner, by the key that the owner has or, before a change of it is flushed, had.
func (st *State) RefersTo(r *mapping.Relation, owner *State, row memory.Pointer) bool {
	return refersTo(r, row, owner.Object) || owner.Status == Persistent && refersTo(r, row, owner.Snapshot)
}

func refersTo(r *mapping.Relation, row, owner memory.Pointer) bool {
	for i, c := range r.Remote {
		if !c.RefersTo(row, r.Local[i], owner) {
			return false
		}
	}
	return true
}

// Contradicts reports whether the program has assigned a part of a foreign key
// that is not that of a row.
func (st *State) Contradicts(cols, keys []*mapping.Column, row memory.Pointer) bool {
	for i, c := range cols {
		if st.Assigned(cols[i:i+1]) && !c.RefersTo(st.Object, keys[i], row) {
			return true
		}
	}
	return false
}

// Assigned reports whether a foreign key was assigned by the program.
func (st *State) Assigned(cols []*mapping.Column) bool {
	for _, c := range cols {
		if st.Status == Pending && !c.Zero(st.Object) || st.Status == Persistent && !c.Equal(st.Object, st.Snapshot) {
			return true
		}
	}
	return false
}

// Modified reports whether the object differs from its snapshot, or one of its
// relations from what it held.
func (st *State) Modified() bool {
	return st.Status == Persistent && (st.Table.Changed(st.Object, st.Snapshot) || st.RelationsModified())
}

// Send notes the row that a flush inserts or takes over for the object; keyless
// says that its key is not known before.
func (st *State) Send(row memory.Pointer, keyless bool) { st.Sent, st.Keyless = row, keyless }

// Keyed notes that the key of the row that is sent is known by now.
func (st *State) Keyed() { st.Keyless = false }

// Before returns the row that a persistent object was read with, otherwise what
// it says.
func (st *State) Before() memory.Pointer {
	if st.Status == Persistent && st.Snapshot != nil {
		return st.Snapshot
	}
	return st.Object
}

// Row returns the row of the object as it is in the database by now.
func (st *State) Row() memory.Pointer {
	if st.Sent != nil {
		return st.Sent
	}
	return st.Snapshot
}

// Detached returns the state of an object of a row that is in no session.
func Detached(t *mapping.Table, obj memory.Pointer) *State {
	return &State{Table: t, Object: obj, Status: Persistent}
}
