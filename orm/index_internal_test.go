package orm

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
		want := map[identity]*state{}
		key := rapid.Custom(func(t *rapid.T) identity {
			return identity{n: rapid.Int64Range(-8, 8).Draw(t, "n"), s: rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "s")}
		})
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			id := key.Draw(t, "key")
			if rapid.Bool().Draw(t, "add") {
				st := &state{id: id}
				x.put(st)
				want[id] = st
			} else {
				x.remove(&state{id: id}) // another state of the same key stays
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
					if id := (identity{n, s}); x.get(id) != want[id] {
						t.Fatalf("%v: %p, want %p", id, x.get(id), want[id])
					}
				}
			}
		}
	})
}

func TestAnIndexOfPlacesFindsEveryObject(t *testing.T) {
	t.Parallel()
	x, objs := index{byPlace: true}, make([]int64, 1000)
	x.room(len(objs))
	if room := len(x.slots); 4*len(objs) > 3*room {
		t.Errorf("%d slots for %d objects", room, len(objs))
	}
	states := make([]*state, len(objs))
	for i := range objs {
		states[i] = &state{obj: unsafe.Pointer(&objs[i])}
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
		if got := x.get(placeOf(unsafe.Pointer(&objs[i]))); got != want {
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
	o, rows := newMap(nil), make([]row, 100)
	states := make([]*state, len(rows))
	for i := range rows {
		states[i] = &state{table: table, obj: unsafe.Pointer(&rows[i])}
		o.add(states[i])
	}
	for i, st := range states {
		if i%5 != 0 {
			o.remove(st)
			o.remove(st) // does nothing the second time
		}
	}
	var got []int
	for st := range o.all() {
		got = append(got, st.order-1)
	}
	want := []int{0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(o.list) > 2*len(want)+16 {
		t.Errorf("a list of %d for %d objects", len(o.list), len(want))
	}
}
