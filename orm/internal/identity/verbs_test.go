package identity

import (
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type card struct {
	ID   int64
	Word string
}

func cards(t *testing.T) *mapping.Table {
	t.Helper()
	table, err := mapping.Of(reflect.TypeFor[card]())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestTheLifeOfAnObject goes through what an object can be, and back by a
// rollback.
func TestTheLifeOfAnObject(t *testing.T) {
	t.Parallel()
	table := cards(t)
	m := NewMap(nil)
	j := NewJournal(nil, m)
	obj := &card{Word: "a"}
	st := m.AddPending(j, table, unsafe.Pointer(obj))
	if st.Status != Pending || st.Modified() || !j.Began(st) {
		t.Errorf("pending: %+v", st)
	}
	row := &card{ID: 7, Word: "a"}
	obj.ID = 7
	m.Inserted(j, st, unsafe.Pointer(row), KeyOf(table, unsafe.Pointer(row)), &[]int{0}, false)
	if st.Status != Persistent || m.Find(table, IntKey(7)) != st {
		t.Errorf("inserted: %+v", st)
	}
	obj.Word = "b"
	if !st.Modified() {
		t.Error("a change is not seen")
	}
	next := &card{ID: 8, Word: "b"}
	m.Updated(j, st, unsafe.Pointer(next), IntKey(8), st.Snapshot, false)
	if m.Find(table, IntKey(7)) != nil || m.Find(table, IntKey(8)) != st {
		t.Error("updated: the key leads elsewhere")
	}
	m.Deleted(j, st)
	if st.Status != Deleted || m.Find(table, IntKey(8)) != nil || m.At(unsafe.Pointer(obj)) != st {
		t.Errorf("deleted: %+v", st)
	}
	j.Undo(m, true)
	if m.At(unsafe.Pointer(obj)) != nil || obj.ID != 0 {
		t.Errorf("after the rollback: %+v, %d objects", obj, len(slices.Collect(m.All())))
	}
}

func TestARollbackGivesARowBack(t *testing.T) {
	t.Parallel()
	table := cards(t)
	m := NewMap(nil)
	j := NewJournal(nil, m)
	old := &card{ID: 1, Word: "old"}
	st := m.AddPersistent(table, unsafe.Pointer(old), table.Snapshot(unsafe.Pointer(old)), IntKey(1))
	fresh := &card{ID: 1, Word: "new"}
	next := m.AddPending(j, table, unsafe.Pointer(fresh))
	m.Mark(st)
	m.TookOver(j, next, st, table.Snapshot(unsafe.Pointer(fresh)), IntKey(1), st.Snapshot, false)
	if m.Find(table, IntKey(1)) != next || st.Status != Deleted {
		t.Fatal("the row was not taken over")
	}
	j.Undo(m, true)
	if m.Find(table, IntKey(1)) != st || st.Status != Persistent || !st.Expired || m.At(unsafe.Pointer(fresh)) != nil {
		t.Errorf("%+v", st)
	}
}

func TestASavepointsJournalIsMerged(t *testing.T) {
	t.Parallel()
	table := cards(t)
	m := NewMap(nil)
	outer := NewJournal(nil, m)
	inner := NewJournal(outer, m)
	obj := &card{ID: 1}
	st := m.AddPending(inner, table, unsafe.Pointer(obj))
	inner.Merge()
	if !outer.Began(st) || inner.Began(st) {
		t.Error("the outer journal does not know what the inner one did")
	}
	other := m.AddPersistent(table, unsafe.Pointer(&card{ID: 2}), unsafe.Pointer(&card{ID: 2}), IntKey(2))
	outer.Saw(other)
	if _, noted := outer.modified[other]; noted {
		t.Error("what is read outside of a savepoint is noted")
	}
	inner.Saw(other)
	if _, noted := inner.modified[other]; !noted {
		t.Error("what is read in a savepoint is not noted")
	}
}

func TestMarksGoTogether(t *testing.T) {
	t.Parallel()
	table := cards(t)
	m := NewMap(nil)
	var states []*State
	for i := range 4 {
		obj := &card{ID: int64(i + 1)}
		states = append(states, m.AddPersistent(table, unsafe.Pointer(obj), table.Snapshot(unsafe.Pointer(obj)), IntKey(obj.ID)))
	}
	m.Mark(states[0])
	for i := range 3 {
		m.MarkWith(states[i+1], Mark{Owner: states[i]})
	}
	m.MarkAlone(states[2])
	m.Unmark(states[0])
	for i, want := range []bool{false, false, true, true} {
		if states[i].Marked != want {
			t.Errorf("object %d is marked: %t", i, states[i].Marked)
		}
	}
}
