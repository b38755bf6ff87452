package flush

import (
	"errors"
	"reflect"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/orm/internal/depgraph"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// ring has a reference that can be NULL and one that can't.
type ring struct {
	ID    int64  `orm:",pk,noauto"`
	Needs int64  `orm:",references:ring"`
	Likes *int64 `orm:",references:ring"`
}

func table[T any](t interface{ Fatal(args ...any) }) *mapping.Table {
	out, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inserted are the changes that insert rows.
func inserted(table *mapping.Table, rows []ring) []*change {
	m := identity.NewMap(nil)
	j := identity.NewJournal(nil, m)
	changes := make([]*change, len(rows))
	for i := range rows {
		st := m.AddPending(j, table, unsafe.Pointer(&rows[i]))
		changes[i] = &change{st: st, kind: Insert, sent: st.Object, rest: &none}
	}
	return changes
}

// TestRowsAreOrdered compares with what random rows need: each comes after those
// it refers to, but for references that can be NULL and were left out; and it
// fails only if those that can't be NULL go round in a circle.
func TestRowsAreOrdered(t *testing.T) {
	t.Parallel()
	rows := table[ring](t)
	component := depgraph.New([]*mapping.Table{rows}).Components()[0]
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 40).Draw(t, "rows")
		list := make([]ring, n)
		for i := range list {
			list[i] = ring{ID: int64(i + 1), Needs: rapid.Int64Range(1, n).Draw(t, "needs")}
			if rapid.IntRange(0, 3).Draw(t, "itself") > 0 {
				list[i].Needs = int64(i + 1) // which a row may
			}
			if likes := rapid.Int64Range(0, n).Draw(t, "likes"); likes > 0 {
				list[i].Likes = &likes
			}
		}
		changes := inserted(rows, list)
		nodes := newNodes(component, changes, false)
		err := nodes.assignDepths()
		if circular(list) != errors.Is(err, ErrCircular) {
			t.Fatalf("%v", err)
		}
		if err != nil {
			return
		}
		out := map[int64]bool{}
		for _, e := range nodes.deferred {
			if !e.key.Nullable() {
				t.Fatal("a reference was left out that can't be NULL")
			}
			out[(*ring)(e.from.st.Object).ID] = true
		}
		for i, ch := range changes {
			after := func(id int64) bool { return id == int64(i+1) || nodes.depth[changes[id-1]] < nodes.depth[ch] }
			if !after(list[i].Needs) {
				t.Fatalf("row %d comes before %d, which it needs", i+1, list[i].Needs)
			}
			if likes := list[i].Likes; likes != nil && !out[int64(i+1)] && !after(*likes) {
				t.Fatalf("row %d comes before %d, to which it refers", i+1, *likes)
			}
		}
	})
}

// circular reports whether rows need each other in a circle.
func circular(rows []ring) bool {
	for i := range rows {
		at := rows[i]
		for range rows {
			if at.Needs == at.ID {
				break
			}
			at = rows[at.Needs-1]
		}
		if at.Needs != at.ID {
			return true
		}
	}
	return false
}

// TestManyCircles opens one circle each for many pairs of rows, and one that
// goes through all of many rows: in a time that grows with its square this test
// does not end.
func TestManyCircles(t *testing.T) {
	t.Parallel()
	rows := table[ring](t)
	component := depgraph.New([]*mapping.Table{rows}).Components()[0]
	const n = 20_000
	pairs, long := make([]ring, n), make([]ring, n)
	for i := range pairs {
		id := int64(i + 1)
		pairs[i], long[i] = ring{ID: id, Needs: id}, ring{ID: id, Needs: max(id-1, 1)}
		if i%2 == 0 {
			next := id + 1
			pairs[i].Likes, pairs[i].Needs = &next, id
		} else {
			pairs[i].Needs = id - 1
		}
	}
	last := int64(n)
	long[0].Likes = &last
	for name, c := range map[string]struct {
		rows     []ring
		deferred int
	}{"pairs": {pairs, n / 2}, "one": {long, 1}} {
		nodes := newNodes(component, inserted(rows, c.rows), false)
		if err := nodes.assignDepths(); err != nil || len(nodes.deferred) != c.deferred {
			t.Errorf("%s: %v, %d references were left out, want %d", name, err, len(nodes.deferred), c.deferred)
		}
	}
}
