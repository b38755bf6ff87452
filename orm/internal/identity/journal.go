package identity

import (
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Journal is what was done to objects in a transaction, or in a savepoint of it,
// and what rolling that back has to undo.
type Journal struct {
	outer *Journal // nil: of the transaction itself
	since int      // how many objects the session had had when it began

	added   []*State        // became pending or persistent in it, unless they say otherwise
	deleted map[*State]bool // became deleted in it
	// modified are those that were flushed in it, or read again in a savepoint,
	// with the row before the first flush if its key or version was changed.
	modified map[*State]memory.Pointer
	keys     map[*State]Key // the keys of those that got another one
	// pointers is what pointers of belongs-to relations held before they were
	// flushed in it.
	pointers map[pointer]memory.Pointer
}

// pointer is one field of an object.
type pointer struct {
	st *State
	r  *mapping.Relation
}

// NewJournal returns the journal of a transaction, or of a savepoint in another's.
func NewJournal(outer *Journal, o *Map) *Journal {
	j := &Journal{outer: outer, since: o.added}
	j.Clear()
	return j
}

// Clear forgets what was done.
func (j *Journal) Clear() {
	for _, st := range j.added {
		st.journal = nil
	}
	j.added, j.deleted = nil, map[*State]bool{}
	j.modified, j.keys, j.pointers = map[*State]memory.Pointer{}, map[*State]Key{}, nil
}

// add notes that an object became pending or persistent.
func (j *Journal) add(st *State) {
	st.journal = j
	j.added = append(j.added, st)
}

// Touch notes that an object was flushed. row is what its row was before, if its
// key or its version was changed. A nil journal notes nothing.
func (j *Journal) Touch(st *State, row memory.Pointer) {
	if j != nil && j.modified[st] == nil {
		j.modified[st] = row
	}
}

// Repoint notes that what a belongs-to relation of an object holds is about to be
// the baseline of what is a change. A nil journal notes nothing.
func (j *Journal) Repoint(st *State, r *mapping.Relation) {
	if j != nil {
		j.repoint(pointer{st, r}, First(st.Committed(r)))
	}
}

func (j *Journal) repoint(p pointer, held memory.Pointer) {
	if j.pointers == nil {
		j.pointers = map[pointer]memory.Pointer{}
	}
	if _, known := j.pointers[p]; !known {
		j.pointers[p] = held
	}
}

// rekeyed notes the key that an object has had.
func (j *Journal) rekeyed(st *State) {
	if _, known := j.keys[st]; !known {
		j.keys[st] = st.Key
	}
}

// Saw notes that an object, or one of its relations, was read or follows what
// was flushed: a savepoint's rollback may undo what it says, as it may with all
// that came into the session since.
func (j *Journal) Saw(st *State) {
	if j != nil && j.outer != nil {
		j.Touch(st, nil)
	}
}

// Began reports whether an object became pending or persistent in the journal.
func (j *Journal) Began(st *State) bool { return j != nil && st.journal == j }

// Merge hands what a savepoint knows to the journal around it.
func (j *Journal) Merge() {
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
		outer.Touch(st, row)
	}
	for p, held := range j.pointers {
		outer.repoint(p, held)
	}
	for st, id := range j.keys {
		if _, known := outer.keys[st]; !known {
			outer.keys[st] = id
		}
	}
}
