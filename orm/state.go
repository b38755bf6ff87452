package orm

import (
	"iter"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// status is where an object stands in its session. What the session does not
// know is transient or detached.
type status uint8

const (
	pending    status = iota // added, not yet inserted
	persistent               // a row of the database
	deleted                  // its DELETE was flushed, its transaction is open
)

// state is what a session knows of an object.
type state struct {
	table    *mapping.Table
	obj      unsafe.Pointer
	snapshot unsafe.Pointer // the row as it was last seen; nil while pending
	id       identity       // of a persistent or deleted object
	order    int            // of its addition
	links    []link         // of its relations; nil: nothing known
	status   status
	marked   bool // to be deleted by the next flush
	dropped  bool // it has left the session
	tracked  bool // while pending it was held by what owns it
	expired  bool // the snapshot is only a baseline: the row may have changed
	partial  bool // the row's version was never read

	journal *journal       // became pending or persistent in it, or nil
	zeroed  *[]int         // columns that were zero before a flush filled them in, or nil
	sent    unsafe.Pointer // the row that a flush inserts or takes over, until that is applied
	keyless bool           // the key of that row is not known yet
}

// doomed reports whether the object is pending, and will not be inserted.
func (st *state) doomed() bool { return st.status == pending && st.marked }

// assigned reports whether a foreign key was assigned by the program.
func (st *state) assigned(cols []*mapping.Column) bool {
	for _, c := range cols {
		if st.status == pending && !c.Zero(st.obj) || st.status == persistent && !c.Equal(st.obj, st.snapshot) {
			return true
		}
	}
	return false
}

// modified reports whether the object differs from its snapshot, or one of its
// relations from what it held.
func (st *state) modified() bool {
	return st.status == persistent && (st.table.Changed(st.obj, st.snapshot) || st.relationsModified())
}

// objects are the objects of a session.
type objects struct {
	list   []*state // in the order of their addition, with holes
	live   int      // those that are no holes
	places index    // the first of the list; the others when one is looked for
	placed int      // how many they are
	tables map[*mapping.Table]*index
	added  int

	latest  *mapping.Table // of the object that was added last
	onTable func(t *mapping.Table)
	implied map[*state]mark // are marked because of others; those that are pending leave with the next flush
	related bool            // some have relations
	owning  bool            // some have relations that own what they hold
}

// newMap returns a map without objects. onTable, if it is given, is called with
// the table of an object that is added, unless it is that of the one before.
func newMap(onTable func(t *mapping.Table)) *objects {
	o := &objects{onTable: onTable}
	o.reset()
	return o
}

// reset lets go of all objects.
func (o *objects) reset() {
	for st := range o.all() {
		st.dropped = true
	}
	*o = objects{added: o.added, onTable: o.onTable, places: index{byPlace: true}, tables: map[*mapping.Table]*index{}}
}

// at returns the state of an object, or nil.
func (o *objects) at(obj unsafe.Pointer) *state {
	if o.placed < len(o.list) {
		o.place()
	}
	return o.places.get(placeOf(obj))
}

// place notes where the objects are that were added since it was last called.
// Who only reads never asks.
func (o *objects) place() {
	o.places.room(len(o.list) - o.placed)
	for _, st := range o.list[o.placed:] {
		if !st.dropped {
			o.places.put(st)
		}
	}
	o.placed = len(o.list)
}

// find returns the persistent object of a key, or nil.
func (o *objects) find(t *mapping.Table, id identity) *state { return o.tables[t].get(id) }

// identify makes an object the one of its key.
func (o *objects) identify(st *state, id identity) {
	x := o.keys(st.table)
	if st.id != id {
		x.remove(st)
		st.id = id
	}
	x.put(st)
}

// reclaim makes an object the one of its key again. One that has taken its place
// has no row any more, and leaves the session.
func (o *objects) reclaim(st *state) {
	if other := o.find(st.table, st.id); other != nil && other != st {
		o.remove(other)
	}
	o.identify(st, st.id)
}

// keys returns the index of a table's objects by their keys.
func (o *objects) keys(t *mapping.Table) *index {
	x := o.tables[t]
	if x == nil {
		x = &index{}
		o.tables[t] = x
	}
	return x
}

// room makes room for n rows that were read.
func (o *objects) room(t *mapping.Table, n int) {
	o.keys(t).room(n)
	o.list = slices.Grow(o.list, n)
}

// forget takes an object out of the identity map.
func (o *objects) forget(st *state) { o.tables[st.table].remove(st) }

// remove takes an object out of the session.
func (o *objects) remove(st *state) {
	o.forget(st)
	o.drop(st)
}

// add puts a state into the session.
func (o *objects) add(st *state) {
	if st.table != o.latest {
		o.latest = st.table
		o.learn(st.table)
	}
	o.added++
	o.live++
	st.order = o.added
	o.list = append(o.list, st)
}

// learn notes what a table's objects need.
func (o *objects) learn(t *mapping.Table) {
	o.related = o.related || len(t.Relations()) > 0
	o.owning = o.owning || slices.ContainsFunc(t.Relations(), func(r *mapping.Relation) bool {
		return r.Cascade&mapping.CascadeOrphan != 0
	})
	if o.onTable != nil {
		o.onTable(t)
	}
}

// drop takes an object out of the session; its key stays.
func (o *objects) drop(st *state) {
	if st.dropped {
		return
	}
	o.places.remove(st)
	o.live--
	st.dropped = true
	delete(o.implied, st)
	if len(o.list) > 2*o.live+16 {
		o.place()
		o.list = slices.DeleteFunc(o.list, func(st *state) bool { return st.dropped })
		o.placed = len(o.list)
	}
}

// ofTable returns the objects that have a row of a table, in no order.
func (o *objects) ofTable(t *mapping.Table) iter.Seq[*state] { return o.tables[t].all() }

// expireAll expires all persistent objects.
func (o *objects) expireAll() {
	for st := range o.all() {
		if st.status == persistent {
			st.expire()
		}
	}
}

// sorted returns the states that are wanted, in the order of their addition.
func (o *objects) sorted(which func(st *state) bool) []*state {
	var out []*state
	for st := range o.all() {
		if which(st) {
			out = append(out, st)
		}
	}
	return out
}

// all returns the objects in the order of their addition. None may be taken out
// meanwhile.
func (o *objects) all() iter.Seq[*state] {
	return func(yield func(*state) bool) {
		for _, st := range o.list {
			if !st.dropped && !yield(st) {
				return
			}
		}
	}
}
