package identity

import "github.com/sessionproxy/sessionproxy/orm/mapping"

// Mark is why an object is marked that was not deleted by itself. It is taken
// back if that no longer holds when the flush comes.
type Mark struct {
	Owner  *State            // it goes with this one; nil: nobody has it
	R      *mapping.Relation // by which it goes
	Orphan bool              // it was taken out of r
}

// MarkWith marks an object that goes with another. A pending one stays until a
// flush is planned, so that another one that holds it does not add it again.
func (o *Map) MarkWith(st *State, m Mark) {
	st.Marked = true
	if o.Implied == nil {
		o.Implied = map[*State]Mark{}
	}
	o.Implied[st] = m
}

// Unmark takes marks back, with those of the objects that would have gone with
// them.
func (o *Map) Unmark(states ...*State) {
	if len(states) == 0 {
		return
	}
	with := map[*State][]*State{}
	for other, m := range o.Implied {
		if m.Owner != nil {
			with[m.Owner] = append(with[m.Owner], other)
		}
	}
	for queue := states; len(queue) > 0; queue = queue[1:] {
		next := queue[0]
		next.Marked = false
		delete(o.Implied, next)
		queue = append(queue, with[next]...)
		delete(with, next)
	}
}

// ExpungeDiscarded lets go of pending objects that went with what held them. It reports
// whether there were any.
func (o *Map) ExpungeDiscarded() (found bool) {
	for st := range o.Implied {
		if st.Discarded() {
			o.Remove(st)
			st.journal = nil
			found = true
		}
	}
	return found
}

// MarkAlone notes that the deletion of an object that goes with another is asked for
// by itself as well.
func (o *Map) MarkAlone(st *State) { delete(o.Implied, st) }

// Mark marks an object: the next flush deletes its row.
func (o *Map) Mark(st *State) { st.Marked = true }

// MarkedWith returns the objects whose marks are such.
func (o *Map) MarkedWith(such func(st *State, m Mark) bool) (out []*State) {
	for st, m := range o.Implied {
		if such(st, m) {
			out = append(out, st)
		}
	}
	return out
}
