package orm

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// undo undoes a transaction among the objects. If it is all of it, every object
// may now differ from its row; otherwise those changed in it.
func (j *journal) undo(o *objects, all bool) {
	deleted := j.restorable(o)
	j.undoAdded(o)
	for st := range j.keys {
		o.forget(st)
	}
	for st, id := range j.keys {
		st.id = id
	}
	for _, st := range deleted {
		st.status = persistent
		o.reclaim(st)
		st.expire()
	}
	for _, st := range latestFirst(maps.Keys(j.keys)) {
		if o.at(st.obj) == st && st.status == persistent {
			o.reclaim(st)
		}
	}
	for st, row := range j.modified {
		if st.journal == j {
			continue
		}
		if row != nil {
			st.restore(row)
			st.table.CopyAll(st.snapshot, st.obj)
		}
		st.expire()
	}
	o.implied = nil
	for st := range o.all() {
		st.marked = false
		if st.status == persistent && (all || st.order > j.since) || st.modified() {
			st.expire()
		}
	}
}

// undoAdded lets go of what was added in a transaction, and takes back what the
// flush has filled in.
func (j *journal) undoAdded(o *objects) {
	for _, st := range j.added {
		if st.journal != j {
			continue
		}
		if other := o.find(st.table, st.id); other != nil && st.status != pending {
			o.remove(other) // it was read after st had left
		}
		o.remove(st)
		if st.zeroed == nil {
			continue
		}
		for _, i := range *st.zeroed {
			st.table.Columns[i].SetZero(st.obj)
		}
	}
}

// restorable returns the objects whose rows come back with a rollback. An
// object may have been read and deleted after another had inserted the row: that
// row does not come back, and the object leaves the session.
func (j *journal) restorable(o *objects) (out []*state) {
	if len(j.deleted) == 0 {
		return nil
	}
	type row struct {
		table *mapping.Table
		id    identity
	}
	born := map[row]int{}
	for _, st := range j.added {
		if r := (row{st.table, st.id}); st.journal == j && st.status != pending && (born[r] == 0 || st.order < born[r]) {
			born[r] = st.order
		}
	}
	for _, st := range latestFirst(maps.Keys(j.deleted)) {
		switch since := born[row{st.table, st.id}]; {
		case st.journal == j || o.at(st.obj) != st: // ExpungeAll lets go of the deleted too
		case since > 0 && since < st.order:
			o.drop(st)
		default:
			out = append(out, st)
		}
	}
	return out
}

// latestFirst returns states, those that came into the session last first: of
// several that claim a row the first one has it in the end.
func latestFirst(states iter.Seq[*state]) []*state {
	return slices.SortedFunc(states, func(a, b *state) int { return cmp.Compare(b.order, a.order) })
}
