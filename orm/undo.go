package orm

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// undoAll undoes the whole transaction among the objects.
func (s *Session) undoAll() {
	for s.tx != nil {
		s.undo(s.tx, true)
		s.tx = s.tx.outer
	}
}

// undo undoes a transaction among the objects. If it is all of it, every object
// may now differ from its row; otherwise those changed in it.
func (s *Session) undo(t *transaction, all bool) {
	deleted := t.restorable(s)
	s.undoAdded(t)
	for st := range t.keys {
		s.objects.forget(st)
	}
	for st, id := range t.keys {
		st.id = id
	}
	for _, st := range deleted {
		st.status = persistent
		s.objects.reclaim(st)
		st.expire()
	}
	for _, st := range latestFirst(maps.Keys(t.keys)) {
		if s.objects.at(st.obj) == st && st.status == persistent {
			s.objects.reclaim(st)
		}
	}
	for st, row := range t.modified {
		if st.in == t {
			continue
		}
		if row != nil {
			st.restore(row)
			st.table.CopyAll(st.snapshot, st.obj)
		}
		st.expire()
	}
	s.objects.implied = nil
	for st := range s.objects.all() {
		st.marked = false
		if st.status == persistent && (all || st.order > t.since) || st.modified() {
			st.expire()
		}
	}
}

// undoAdded lets go of what was added in a transaction, and takes back what the
// flush has filled in.
func (s *Session) undoAdded(t *transaction) {
	for _, st := range t.added {
		if st.in != t {
			continue
		}
		if other := s.objects.find(st.table, st.id); other != nil && st.status != pending {
			s.objects.remove(other) // it was read after st had left
		}
		s.objects.remove(st)
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
func (t *transaction) restorable(s *Session) (out []*state) {
	if len(t.deleted) == 0 {
		return nil
	}
	type row struct {
		table *mapping.Table
		id    identity
	}
	born := map[row]int{}
	for _, st := range t.added {
		if r := (row{st.table, st.id}); st.in == t && st.status != pending && (born[r] == 0 || st.order < born[r]) {
			born[r] = st.order
		}
	}
	for _, st := range latestFirst(maps.Keys(t.deleted)) {
		switch since := born[row{st.table, st.id}]; {
		case st.in == t || s.objects.at(st.obj) != st: // ExpungeAll lets go of the deleted too
		case since > 0 && since < st.order:
			s.objects.drop(st)
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
