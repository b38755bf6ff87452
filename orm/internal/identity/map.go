package identity

import (
	"iter"
	"maps"
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Map are the objects of a session.
type Map struct {
	list      []*State // in the order of their addition, with holes
	live      int      // those that are no holes
	addresses index    // the first of the list; the others when one is looked for
	addressed int      // how many they are
	tables    map[*mapping.Table]*index
	added     int

	latest  *mapping.Table // of the object that was added last
	onTable func(t *mapping.Table)
	Implied map[*State]Mark // are marked because of others; those that are pending leave with the next flush
	Related bool            // some have relations
	Owning  bool            // some have relations that own what they hold
}

// NewMap returns a map without objects. onTable, if it is given, is called with
// the table of an object that is added, unless it is that of the one before.
func NewMap(onTable func(t *mapping.Table)) *Map {
	o := &Map{onTable: onTable}
	o.Reset()
	return o
}

// Reset lets go of all objects.
func (o *Map) Reset() {
	for st := range o.All() {
		st.Dropped = true
	}
	*o = Map{added: o.added, onTable: o.onTable, addresses: index{byAddress: true}, tables: map[*mapping.Table]*index{}}
}

// At returns the state of an object, or nil.
func (o *Map) At(obj memory.Pointer) *State {
	if o.addressed < len(o.list) {
		o.address()
	}
	return o.addresses.get(addressOf(obj))
}

// address notes where the objects are that were added since it was last called.
// Who only reads never asks.
func (o *Map) address() {
	o.addresses.room(len(o.list) - o.addressed)
	for _, st := range o.list[o.addressed:] {
		if !st.Dropped {
			o.addresses.put(st)
		}
	}
	o.addressed = len(o.list)
}

// Find returns the persistent object of a key, or nil.
func (o *Map) Find(t *mapping.Table, id Key) *State { return o.tables[t].get(id) }

// rekey makes an object the one of its key.
func (o *Map) rekey(st *State, id Key) {
	x := o.keys(st.Table)
	if st.Key != id {
		x.remove(st)
		st.Key = id
	}
	x.put(st)
}

// replace makes an object the one of its key again. One that has taken its place
// has no row any more, and leaves the session.
func (o *Map) replace(st *State) {
	if other := o.Find(st.Table, st.Key); other != nil && other != st {
		o.Remove(other)
	}
	o.rekey(st, st.Key)
}

// keys returns the index of a table's objects by their keys.
func (o *Map) keys(t *mapping.Table) *index {
	x := o.tables[t]
	if x == nil {
		x = &index{}
		o.tables[t] = x
	}
	return x
}

// ReserveKeys makes room for the keys of n rows that were inserted.
func (o *Map) ReserveKeys(t *mapping.Table, n int) { o.keys(t).room(n) }

// Reserve makes room for n rows that were read.
func (o *Map) Reserve(t *mapping.Table, n int) {
	o.keys(t).room(n)
	o.list = slices.Grow(o.list, n)
}

// unindex takes an object out of the identity map.
func (o *Map) unindex(st *State) { o.tables[st.Table].remove(st) }

// Remove takes an object out of the session.
func (o *Map) Remove(st *State) {
	o.unindex(st)
	o.drop(st)
}

// add puts a state into the session.
func (o *Map) add(st *State) {
	if st.Table != o.latest {
		o.latest = st.Table
		o.learn(st.Table)
	}
	o.added++
	o.live++
	st.Order = o.added
	o.list = append(o.list, st)
}

// learn notes what a table's objects need.
func (o *Map) learn(t *mapping.Table) {
	o.Related = o.Related || len(t.Relations()) > 0
	o.Owning = o.Owning || slices.ContainsFunc(t.Relations(), func(r *mapping.Relation) bool {
		return r.Cascade&mapping.CascadeOrphan != 0
	})
	if o.onTable != nil {
		o.onTable(t)
	}
}

// drop takes an object out of the session; its key stays.
func (o *Map) drop(st *State) {
	if st.Dropped {
		return
	}
	o.addresses.remove(st)
	o.live--
	st.Dropped = true
	delete(o.Implied, st)
	if len(o.list) > 2*o.live+16 {
		o.address()
		o.list = slices.DeleteFunc(o.list, func(st *State) bool { return st.Dropped })
		o.addressed = len(o.list)
	}
}

// Tables returns the tables of which objects have rows, in no order.
func (o *Map) Tables() []*mapping.Table { return slices.Collect(maps.Keys(o.tables)) }

// OfTable returns the objects that have a row of a table, in no order.
func (o *Map) OfTable(t *mapping.Table) iter.Seq[*State] { return o.tables[t].all() }

// ExpireAll expires all persistent objects.
func (o *Map) ExpireAll() {
	for st := range o.All() {
		if st.Status == Persistent {
			st.Expire()
		}
	}
}

// Sorted returns the states that are wanted, in the order of their addition.
func (o *Map) Sorted(which func(st *State) bool) []*State {
	var out []*State
	for st := range o.All() {
		if which(st) {
			out = append(out, st)
		}
	}
	return out
}

// All returns the objects in the order of their addition. None may be taken out
// meanwhile.
func (o *Map) All() iter.Seq[*State] {
	return func(yield func(*State) bool) {
		for _, st := range o.list {
			if !st.Dropped && !yield(st) {
				return
			}
		}
	}
}
