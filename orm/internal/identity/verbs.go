package identity

import (
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// An object's status changes in this file and nowhere else:
//
//	AddPending      transient → pending
//	AddPersistent   detached → persistent
//	AddRead         a row → persistent
//	Inserted        pending → persistent
//	TookOver        pending → persistent, and persistent → deleted of the one that had the row
//	Updated         persistent, of another row
//	Deleted         persistent → deleted
//	restored        deleted → persistent, by Journal.Undo
//	Detach, Remove  any → transient or detached

// AddPending puts an object into the session, to be inserted.
func (o *Map) AddPending(j *Journal, t *mapping.Table, obj memory.Pointer) *State {
	st := &State{Table: t, Object: obj, Status: Pending}
	o.add(st)
	j.add(st)
	return st
}

// AddPersistent puts an object of a row into the session. row is the row, which
// the map takes over.
func (o *Map) AddPersistent(t *mapping.Table, obj, row memory.Pointer, id Key) *State {
	st := &State{}
	o.AddRead(st, t, obj, row, id)
	return st
}

// AddRead is addPersistent with a new state, which was made with others.
func (o *Map) AddRead(st *State, t *mapping.Table, obj, row memory.Pointer, id Key) {
	st.Table, st.Object, st.Status, st.Snapshot, st.Key = t, obj, Persistent, row, id
	o.add(st)
	o.keys(t).put(st)
}

// Inserted notes that the row of a pending object was inserted. filled are the
// columns that were zero in the object and are not in the row; unread says that
// the database has filled in others.
func (o *Map) Inserted(j *Journal, st *State, row memory.Pointer, id Key, filled *[]int, unread bool) {
	st.Status, st.Snapshot, st.Expired, st.Key = Persistent, row, unread, id
	st.zeroed, st.Sent, st.Keyless = filled, nil, false
	o.keys(st.Table).put(st)
	if st.journal == nil {
		j.add(st)
	}
}

// TookOver notes that the row of a deleted object has a pending one now.
func (o *Map) TookOver(j *Journal, st, old *State, row memory.Pointer, id Key, before memory.Pointer, unread bool) {
	o.Deleted(j, old)
	st.Status, st.Sent, st.Keyless = Persistent, nil, false
	o.rekey(st, id)
	if st.journal == nil {
		j.add(st)
	}
	st.seen(row, unread)
	j.Touch(st, before)
}

// Updated notes that the row of an object was updated. before is the row that it
// was, if its key or its version was changed.
func (o *Map) Updated(j *Journal, st *State, row memory.Pointer, id Key, before memory.Pointer, unread bool) {
	if id != st.Key {
		j.rekeyed(st)
		o.unindex(st)
		o.rekey(st, id)
	}
	st.seen(row, unread)
	j.Touch(st, before)
}

// Deleted notes that the row of an object was deleted.
func (o *Map) Deleted(j *Journal, st *State) {
	o.unindex(st)
	st.Status, st.Marked = Deleted, false
	delete(o.Implied, st)
	j.deleted[st] = true
}

// Detach lets go of the objects whose deletion was committed.
func (o *Map) Detach(j *Journal) {
	for st := range j.deleted {
		o.drop(st)
	}
}

// seen notes what the row of an object is now.
func (st *State) seen(row memory.Pointer, unread bool) {
	st.Snapshot = row
	st.Expired, st.Partial = st.Expired || unread, false
}

// restored notes that the row of a deleted object is back.
func (o *Map) restored(st *State) {
	st.Status = Persistent
	o.replace(st)
	st.Expire()
}
