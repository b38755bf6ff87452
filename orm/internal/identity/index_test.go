package identity

import (
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// TestAnIndexIsAMap compares an index with a map of Go over random sequences of
// additions and removals, among few keys, so that searches meet.
func TestAnIndexIsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var x index
		want := map[Key]*State{}
		key := rapid.Custom(func(t *rapid.T) Key {
			return Key{n: rapid.Int64Range(-8, 8).Draw(t, "n"), s: rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "s")}
		})
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			id := key.Draw(t, "key")
			if rapid.Bool().Draw(t, "add") {
				st := &State{Key: id}
				x.put(st)
				want[id] = st
			} else {
				x.remove(&State{Key: id}) // another state of the same key stays
				if st := want[id]; st != nil {
					x.remove(st)
					delete(want, id)
				}
			}
			if x.n != len(want) {
				t.Fatalf("%d states, want %d", x.n, len(want))
			}
			for n := int64(-8); n <= 8; n++ {
				for _, s := range []string{"", "a", "b"} {
					if id := (Key{n, s}); x.get(id) != want[id] {
						t.Fatalf("%v: %p, want %p", id, x.get(id), want[id])
					}
				}
			}
		}
	})
}

func TestAnIndexOfPlacesFindsEveryObject(t *testing.T) {
	t.Parallel()
	x, objs := index{byAddress: true}, make([]int64, 1000)
	x.room(len(objs))
	if room := len(x.slots); 4*len(objs) > 3*room {
		t.Errorf("%d slots for %d objects", room, len(objs))
	}
	states := make([]*State, len(objs))
	for i := range objs {
		states[i] = &State{Object: unsafe.Pointer(&objs[i])}
		x.put(states[i])
	}
	for i := range objs {
		if i%3 == 0 {
			x.remove(states[i])
		}
	}
	for i := range objs {
		want := states[i]
		if i%3 == 0 {
			want = nil
		}
		if got := x.get(addressOf(unsafe.Pointer(&objs[i]))); got != want {
			t.Fatalf("object %d: %p, want %p", i, got, want)
		}
	}
	if 3*len(x.slots) > 8*len(objs) {
		t.Errorf("%d slots for %d objects", len(x.slots), len(objs))
	}
}

func TestObjectsComeInTheOrderOfTheirAddition(t *testing.T) {
	t.Parallel()
	type row struct{ ID int64 }
	table, err := mapping.Of(reflect.TypeFor[row]())
	if err != nil {
		t.Fatal(err)
	}
	o, rows := NewMap(nil), make([]row, 100)
	states := make([]*State, len(rows))
	for i := range rows {
		states[i] = &State{Table: table, Object: unsafe.Pointer(&rows[i])}
		o.add(states[i])
	}
	for i, st := range states {
		if i%5 != 0 {
			o.Remove(st)
			o.Remove(st) // does nothing the second time
		}
	}
	var got []int
	for st := range o.All() {
		got = append(got, st.Order-1)
	}
	want := []int{0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(o.list) > 2*len(want)+16 {
		t.Errorf("a list of %d for %d objects", len(o.list), len(want))
	}
}
