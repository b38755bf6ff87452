package depgraph_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/orm/internal/depgraph"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type top struct{ ID int64 }

type middle struct {
	ID    int64
	TopID int64  `orm:",references:top"`
	Self  *int64 `orm:",references:middle"`
}

type chicken struct {
	ID    int64
	EggID *int64
	Egg   *egg `orm:"rel:belongs-to"`
}

type egg struct {
	ID        int64
	ChickenID int64
	Chicken   *chicken `orm:"rel:belongs-to"`
}

func tables(t *testing.T, types ...reflect.Type) (out []*mapping.Table) {
	t.Helper()
	for _, typ := range types {
		table, err := mapping.Of(typ)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, table)
	}
	return out
}

func TestComponentsOfTables(t *testing.T) {
	t.Parallel()
	all := tables(t, reflect.TypeFor[middle](), reflect.TypeFor[egg](), reflect.TypeFor[top](), reflect.TypeFor[chicken]())
	var names [][]string
	var circular []bool
	g := depgraph.New(all)
	for _, c := range g.Components() {
		var in []string
		for _, table := range c.Tables {
			in = append(in, table.Name)
			for _, k := range c.Keys(table) {
				if want := k.Local[0].Name == "egg_id" || k.Local[0].Name == "self"; k.Nullable() != want {
					t.Errorf("%s: nullable %t", k.Local[0].Name, k.Nullable())
				}
			}
		}
		names, circular = append(names, in), append(circular, c.Circular())
	}
	want := [][]string{{"top"}, {"middle"}, {"egg", "chicken"}}
	if !reflect.DeepEqual(names, want) || !slices.Equal(circular, []bool{false, true, true}) {
		t.Errorf("%v, circular %v", names, circular)
	}
	if !g.Refers(all[0], all[2]) || g.Refers(all[2], all[0]) {
		t.Error("middle refers to top, and not the other way round")
	}
}

// TestStrongComponents compares with what each node reaches.
func TestStrongComponents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "nodes")
		next := make([][]int, n)
		for i := range next {
			next[i] = rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 3).Draw(t, "edges")
		}
		reaches := func(from int) []bool {
			seen := make([]bool, n)
			for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
				for _, to := range next[queue[0]] {
					if !seen[to] {
						seen[to] = true
						queue = append(queue, to)
					}
				}
			}
			return seen
		}
		var nodes []int
		for i := range n {
			nodes = append(nodes, i)
		}
		in, place := map[int]int{}, 0
		for i, set := range depgraph.Components(nodes, func(i int) []int { return next[i] }) {
			for _, node := range set {
				in[node] = i
				place++
			}
		}
		if place != n || len(in) != n {
			t.Fatalf("%d places for %d nodes", place, n)
		}
		for a := range n {
			for b, there := range reaches(a) {
				if together := there && reaches(b)[a]; a != b && together != (in[a] == in[b]) {
					t.Fatalf("%d and %d: together %t", a, b, together)
				}
				if there && in[b] > in[a] {
					t.Fatalf("%d leads to %d and comes first", a, b)
				}
			}
		}
	})
}

// TestADeepGraph would take a stack of its own for each node.
func TestADeepGraph(t *testing.T) {
	t.Parallel()
	const n = 1 << 17
	nodes := make([]int, n)
	for i := range nodes {
		nodes[i] = i
	}
	sets := depgraph.Components(nodes, func(i int) []int {
		if i+1 < n {
			return []int{i + 1}
		}
		return nil
	})
	if len(sets) != n || sets[0][0] != n-1 {
		t.Errorf("%d components, the first is %v", len(sets), sets[0])
	}
}
