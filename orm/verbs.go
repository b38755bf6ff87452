package orm

import (
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Only the functions of this file, and those of the journal's undo, change what
// an object is to its session:
//
//	AddPending      transient  → pending
//	AddPersistent   detached   → persistent
//	Inserted        pending    → persistent
//	TookOver        pending    → persistent, and of the other: persistent → deleted
//	Updated         persistent, of another row
//	Deleted         persistent → deleted
//	Detach          deleted    → detached
//	remove          any        → transient or detached

// addPending puts an object into the session, to be inserted.
func (o *objects) addPending(j *journal, t *mapping.Table, obj unsafe.Pointer) *state {
	st := &state{table: t, obj: obj, status: pending}
	o.add(st)
	j.add(st)
	return st
}

// addPersistent puts an object of a row into the session. row is the row, which
// the map takes over.
func (o *objects) addPersistent(t *mapping.Table, obj, row unsafe.Pointer, id identity) *state {
	st := &state{}
	o.addRead(st, t, obj, row, id)
	return st
}

// addRead is addPersistent with a new state, which was made with others.
func (o *objects) addRead(st *state, t *mapping.Table, obj, row unsafe.Pointer, id identity) {
	st.table, st.obj, st.status, st.snapshot, st.id = t, obj, persistent, row, id
	o.add(st)
	o.keys(t).put(st)
}

// send notes the row that a flush inserts or takes over for the object; keyless
// says that its key is not known before.
func (st *state) send(row unsafe.Pointer, keyless bool) { st.sent, st.keyless = row, keyless }

// keyed notes that the key of the row that is sent is known by now.
func (st *state) keyed() { st.keyless = false }

// row returns the row of the object as it is in the database by now.
func (st *state) row() unsafe.Pointer {
	if st.sent != nil {
		return st.sent
	}
	return st.snapshot
}

// detached returns the state of an object of a row that is in no session.
func detached(t *mapping.Table, obj unsafe.Pointer) *state {
	return &state{table: t, obj: obj, status: persistent}
}

// inserted notes that the row of a pending object was inserted. filled are the
// columns that were zero in the object and are not in the row; unread says that
// the database has filled in others.
func (o *objects) inserted(j *journal, st *state, row unsafe.Pointer, id identity, filled *[]int, unread bool) {
	st.status, st.snapshot, st.expired, st.id = persistent, row, unread, id
	st.zeroed, st.sent, st.keyless = filled, nil, false
	o.keys(st.table).put(st)
	if st.journal == nil {
		j.add(st)
	}
}

// tookOver notes that the row of a deleted object has a pending one now.
func (o *objects) tookOver(j *journal, st, old *state, row unsafe.Pointer, id identity, before unsafe.Pointer, unread bool) {
	o.deleted(j, old)
	st.status, st.sent, st.keyless = persistent, nil, false
	o.identify(st, id)
	if st.journal == nil {
		j.add(st)
	}
	st.seen(row, unread)
	j.touch(st, before)
}

// updated notes that the row of an object was updated. before is the row that it
// was, if its key or its version was changed.
func (o *objects) updated(j *journal, st *state, row unsafe.Pointer, id identity, before unsafe.Pointer, unread bool) {
	if id != st.id {
		j.rekeyed(st)
		o.forget(st)
		o.identify(st, id)
	}
	st.seen(row, unread)
	j.touch(st, before)
}

// seen notes what the row of an object is now.
func (st *state) seen(row unsafe.Pointer, unread bool) {
	st.snapshot = row
	st.expired, st.partial = st.expired || unread, false
}

// deleted notes that the row of an object was deleted.
func (o *objects) deleted(j *journal, st *state) {
	o.forget(st)
	st.status, st.marked = deleted, false
	delete(o.implied, st)
	j.deleted[st] = true
}

// detach lets go of the objects whose deletion was committed.
func (o *objects) detach(j *journal) {
	for st := range j.deleted {
		o.drop(st)
	}
}
