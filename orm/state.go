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
	status   status
	marked   bool           // to be deleted by the next flush
	id       identity       // of a persistent or deleted object
	snapshot unsafe.Pointer // the row as it was last seen; nil while pending
	dropped  bool           // it has left the session
	expired  bool           // the snapshot is only a baseline: the row may have changed
	order    int            // of its addition
	links    []link         // of its relations; nil: nothing known

	in     *transaction // became pending or persistent in it, or nil
	zeroed []int        // columns that were zero before a flush filled them in
	insert *change      // its INSERT, until that is applied
}

// modified reports whether the object differs from its snapshot, or one of its
// relations from what it held.
func (st *state) modified() bool {
	return st.status == persistent && (st.table.Changed(st.obj, st.snapshot) || st.relationsModified())
}

// objects are the objects of a session.
type objects struct {
	places index
	list   []*state // the same in the order of their addition, with holes
	tables map[*mapping.Table]*index
	added  int

	related bool // some have relations
	hooked  bool // some have hooks that come before a flush
	told    bool // some have hooks that come after it
	owning  bool // some have relations that own what they hold
}

func newObjects() objects {
	return objects{places: index{byPlace: true}, tables: map[*mapping.Table]*index{}}
}

// at returns the state of an object, or nil.
func (o *objects) at(obj unsafe.Pointer) *state { return o.places.get(placeOf(obj)) }

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

// keys returns the index of a table's objects by their keys.
func (o *objects) keys(t *mapping.Table) *index {
	x := o.tables[t]
	if x == nil {
		x = &index{}
		o.tables[t] = x
	}
	return x
}

// expect makes room for the keys of rows that were inserted.
func (o *objects) expect(changes []*change) {
	added := map[*mapping.Table]int{}
	for _, c := range changes {
		if c.kind == inserts {
			added[c.st.table]++
		}
	}
	for t, n := range added {
		o.keys(t).room(n)
	}
}

// room makes room for n rows that were read.
func (o *objects) room(t *mapping.Table, n int) {
	o.keys(t).room(n)
	o.places.room(n)
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
	o.added++
	o.related = o.related || len(st.table.Relations()) > 0
	o.owning = o.owning || o.related && slices.ContainsFunc(st.table.Relations(), func(r *mapping.Relation) bool {
		return r.Cascade&mapping.CascadeOrphan != 0
	})
	h := hooksOf(st.table)
	o.hooked, o.told = o.hooked || h.before(), o.told || h.after
	st.order = o.added
	o.places.put(st)
	o.list = append(o.list, st)
}

// drop takes an object out of the session; its key stays.
func (o *objects) drop(st *state) {
	if o.at(st.obj) != st {
		return
	}
	o.places.remove(st)
	st.dropped = true
	if n := o.places.n; len(o.list) > 2*n+16 {
		o.list = slices.DeleteFunc(o.list, func(st *state) bool { return st.dropped })
	}
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
