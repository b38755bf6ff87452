package orm

import (
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// mark is why an object is marked that was not deleted by itself. It is taken
// back if that no longer holds when the flush comes.
type mark struct {
	owner  *state // it goes with this one; nil: nobody has it
	r      *mapping.Relation
	orphan bool // it was taken out of r
}

// imply marks an object that goes with another. A pending one stays until a
// flush is planned, so that another one that holds it does not add it again.
func (o *objects) imply(st *state, m mark) {
	st.marked = true
	if o.implied == nil {
		o.implied = map[*state]mark{}
	}
	o.implied[st] = m
}

// unmark takes marks back, with those of the objects that would have gone with
// them.
func (o *objects) unmark(states ...*state) {
	if len(states) == 0 {
		return
	}
	with := map[*state][]*state{}
	for other, m := range o.implied {
		if m.owner != nil {
			with[m.owner] = append(with[m.owner], other)
		}
	}
	for queue := states; len(queue) > 0; queue = queue[1:] {
		next := queue[0]
		next.marked = false
		delete(o.implied, next)
		queue = append(queue, with[next]...)
		delete(with, next)
	}
}

// bury lets go of pending objects that went with what held them. It reports
// whether there were any.
func (o *objects) bury() (found bool) {
	for st := range o.implied {
		if st.doomed() {
			o.remove(st)
			st.journal = nil
			found = true
		}
	}
	return found
}

// want notes that the deletion of an object that goes with another is asked for
// by itself as well.
func (o *objects) want(st *state) { delete(o.implied, st) }

// mark marks an object: the next flush deletes its row.
func (o *objects) mark(st *state) { st.marked = true }

// impliedBy returns the objects whose marks are such.
func (o *objects) impliedBy(such func(st *state, m mark) bool) (out []*state) {
	for st, m := range o.implied {
		if such(st, m) {
			out = append(out, st)
		}
	}
	return out
}
