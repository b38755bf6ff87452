package identity

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Undo undoes a transaction among the objects. If it is all of it, every object
// may now differ from its row; otherwise those changed in it.
func (j *Journal) Undo(o *Map, all bool) {
	deleted := j.restorable(o)
	j.undoAdded(o)
	for st := range j.keys {
		o.unindex(st)
	}
	for st, id := range j.keys {
		st.Key = id
	}
	for _, st := range deleted {
		o.restored(st)
	}
	for _, st := range latestFirst(maps.Keys(j.keys)) {
		if o.At(st.Object) == st && st.Status == Persistent {
			o.replace(st)
		}
	}
	for st, row := range j.modified {
		if st.journal == j {
			continue
		}
		if row != nil {
			st.restore(row)
			st.Table.CopyAll(st.Snapshot, st.Object)
		}
		st.Expire()
	}
	for p, held := range j.pointers {
		if p.st.journal != j && !p.st.Dropped {
			p.st.pointBack(p.r, held)
		}
	}
	o.Implied = nil
	for st := range o.All() {
		st.Marked = false
		if st.Status == Persistent && (all || st.Order > j.since) || st.Modified() {
			st.Expire()
		}
	}
}

// undoAdded lets go of what was added in a transaction, and takes back what the
// flush has filled in.
func (j *Journal) undoAdded(o *Map) {
	for _, st := range j.added {
		if st.journal != j {
			continue
		}
		if other := o.Find(st.Table, st.Key); other != nil && st.Status != Pending {
			o.Remove(other) // it was read after st had left
		}
		o.Remove(st)
		if st.zeroed == nil {
			continue
		}
		for _, i := range *st.zeroed {
			st.Table.Columns[i].SetZero(st.Object)
		}
	}
}

// restorable returns the objects whose rows come back with a rollback. An
// object may have been read and deleted after another had inserted the row: that
// row does not come back, and the object leaves the session.
func (j *Journal) restorable(o *Map) (out []*State) {
	if len(j.deleted) == 0 {
		return nil
	}
	type row struct {
		table *mapping.Table
		id    Key
	}
	born := map[row]int{}
	for _, st := range j.added {
		if r := (row{st.Table, st.Key}); st.journal == j && st.Status != Pending && (born[r] == 0 || st.Order < born[r]) {
			born[r] = st.Order
		}
	}
	for _, st := range latestFirst(maps.Keys(j.deleted)) {
		switch since := born[row{st.Table, st.Key}]; {
		case st.journal == j || o.At(st.Object) != st: // ExpungeAll lets go of the deleted too
		case since > 0 && since < st.Order:
			o.drop(st)
		default:
			out = append(out, st)
		}
	}
	return out
}

// latestFirst returns states, those that came into the session last first: of
// several that claim a row the first one has it in the end.
func latestFirst(states iter.Seq[*State]) []*State {
	return slices.SortedFunc(states, func(a, b *State) int { return cmp.Compare(b.Order, a.Order) })
}
