package orm

import "unsafe"

// journal is what was done to objects in a transaction, or in a savepoint of it,
// and what rolling that back has to undo.
type journal struct {
	outer *journal // nil: of the transaction itself
	since int      // how many objects the session had had when it began

	added   []*state        // became pending or persistent in it, unless they say otherwise
	deleted map[*state]bool // became deleted in it
	// modified are those that were flushed in it, or read again in a savepoint,
	// with the row before the first flush if its key or version was changed.
	modified map[*state]unsafe.Pointer
	keys     map[*state]identity // the keys of those that got another one
}

// newJournal returns the journal of a transaction, or of a savepoint in another's.
func newJournal(outer *journal, o *objects) *journal {
	j := &journal{outer: outer, since: o.added}
	j.clear()
	return j
}

// clear forgets what was done.
func (j *journal) clear() {
	for _, st := range j.added {
		st.journal = nil
	}
	j.added, j.deleted = nil, map[*state]bool{}
	j.modified, j.keys = map[*state]unsafe.Pointer{}, map[*state]identity{}
}

// add notes that an object became pending or persistent.
func (j *journal) add(st *state) {
	st.journal = j
	j.added = append(j.added, st)
}

// touch notes that an object was flushed. row is what its row was before, if its
// key or its version was changed. A nil journal notes nothing.
func (j *journal) touch(st *state, row unsafe.Pointer) {
	if j != nil && j.modified[st] == nil {
		j.modified[st] = row
	}
}

// rekeyed notes the key that an object has had.
func (j *journal) rekeyed(st *state) {
	if _, known := j.keys[st]; !known {
		j.keys[st] = st.id
	}
}

// saw notes that an object, or one of its relations, was read or follows what
// was flushed: a savepoint's rollback may undo what it says, as it may with all
// that came into the session since.
func (j *journal) saw(st *state) {
	if j != nil && j.outer != nil {
		j.touch(st, nil)
	}
}

// began reports whether an object became pending or persistent in the journal.
func (j *journal) began(st *state) bool { return j != nil && st.journal == j }

// merge hands what a savepoint knows to the journal around it.
func (j *journal) merge() {
	outer := j.outer
	for _, st := range j.added {
		if st.journal == j {
			outer.add(st)
		}
	}
	for st := range j.deleted {
		outer.deleted[st] = true
	}
	for st, row := range j.modified {
		outer.touch(st, row)
	}
	for st, id := range j.keys {
		if _, known := outer.keys[st]; !known {
			outer.keys[st] = id
		}
	}
}
