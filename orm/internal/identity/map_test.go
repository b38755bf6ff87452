package identity

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// TestObjectsAreFoundWhereTheyAre adds and drops objects in any order, and looks
// for them now and then: their places are noted no sooner.
func TestObjectsAreFoundWhereTheyAre(t *testing.T) {
	t.Parallel()
	type thing struct{ ID int64 }
	table, err := mapping.Of(reflect.TypeFor[thing]())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		o := NewMap(nil)
		var all, live []*State
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case what < 5 || len(live) == 0:
				st := &State{Table: table, Object: table.New()}
				o.add(st)
				all, live = append(all, st), append(live, st)
			case what < 9:
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				o.drop(live[i])
				o.drop(live[i]) // a second time is none
				live = slices.Delete(live, i, i+1)
			default:
				for _, st := range all {
					if found := o.At(st.Object); (found == st) != slices.Contains(live, st) || found != nil && found != st {
						t.Fatalf("object %d is %p, found %p", st.Order, st, found)
					}
				}
			}
			if got := slices.Collect(o.All()); !slices.Equal(got, live) || o.live != len(live) {
				t.Fatalf("%d objects, want %d, in the order of their addition", len(got), len(live))
			}
		}
	})
}
