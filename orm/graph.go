package orm

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// foreignKey is how one table refers to another.
type foreignKey struct {
	local  []*mapping.Column
	to     *mapping.Table
	remote []*mapping.Column
}

// nullable reports whether the reference can be left out.
func (k foreignKey) nullable() bool {
	for _, c := range k.local {
		if !c.Nullable || c.PK {
			return false
		}
	}
	return true
}

// graph is how tables refer to each other.
type graph struct {
	tables []*mapping.Table // in the order of their first object
	keys   map[*mapping.Table][]foreignKey
}

// newGraph makes the graph of the tables that have changes.
func newGraph(byTable map[*mapping.Table][]*change) *graph {
	g := &graph{keys: map[*mapping.Table][]foreignKey{}}
	for t := range byTable {
		g.tables = append(g.tables, t)
	}
	order := func(t *mapping.Table) int { return byTable[t][0].st.order }
	slices.SortFunc(g.tables, func(a, b *mapping.Table) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a.FullName(), b.FullName()))
	})
	for _, t := range g.tables {
		g.connect(t, byTable)
	}
	return g
}

// connect notes the references that a table's columns and relations tell of.
func (g *graph) connect(t *mapping.Table, among map[*mapping.Table][]*change) {
	note := func(from *mapping.Table, k foreignKey) {
		if among[from] != nil && among[k.to] != nil {
			g.keys[from] = append(g.keys[from], k)
		}
	}
	for _, c := range t.Columns {
		if c.References == nil {
			continue
		}
		for _, to := range g.tables {
			if key := to.Column(c.References.Column); key != nil && (c.References.Table == to.FullName() || c.References.Table == to.Name) {
				note(t, foreignKey{[]*mapping.Column{c}, to, []*mapping.Column{key}})
			}
		}
	}
	for _, r := range t.Relations() {
		switch r.Kind {
		case mapping.BelongsTo:
			note(t, foreignKey{r.Local, r.Other, r.Remote})
		case mapping.HasOne, mapping.HasMany:
			note(r.Other, foreignKey{r.Remote, t, r.Local})
		case mapping.ManyToMany: // the rows between the two go by themselves
		}
	}
}

// refers reports whether a table has a foreign key to another one.
func (g *graph) refers(t, to *mapping.Table) bool {
	return slices.ContainsFunc(g.keys[t], func(k foreignKey) bool { return k.to == to })
}

// component is a table, or several that refer to each other in a circle.
type component struct {
	*graph
	tables []*mapping.Table
}

// components returns the components, those that others refer to first, by
// Tarjan's algorithm.
func (g *graph) components() []component {
	w := tarjan{graph: g, index: map[*mapping.Table]int{}, low: map[*mapping.Table]int{}, on: map[*mapping.Table]bool{}}
	for _, t := range g.tables {
		if w.index[t] == 0 {
			w.visit(t)
		}
	}
	return w.found
}

type tarjan struct {
	*graph
	index, low map[*mapping.Table]int
	on         map[*mapping.Table]bool
	stack      []*mapping.Table
	found      []component
}

func (w *tarjan) visit(t *mapping.Table) {
	n := len(w.index) + 1
	w.index[t], w.low[t] = n, n
	w.stack, w.on[t] = append(w.stack, t), true
	for _, k := range w.keys[t] {
		if w.index[k.to] == 0 {
			w.visit(k.to)
			w.low[t] = min(w.low[t], w.low[k.to])
		} else if w.on[k.to] {
			w.low[t] = min(w.low[t], w.index[k.to])
		}
	}
	if w.low[t] != w.index[t] {
		return
	}
	i := slices.Index(w.stack, t)
	c := component{w.graph, slices.Clone(w.stack[i:])}
	for _, member := range c.tables {
		w.on[member] = false
	}
	w.stack = w.stack[:i]
	w.found = append(w.found, c)
}

// changes returns the changes of a kind to the component's tables.
func (c component) changes(kind changeKind, byTable map[*mapping.Table][]*change) (out []*change) {
	for _, t := range c.tables {
		for _, ch := range byTable[t] {
			if ch.kind == kind {
				out = append(out, ch)
			}
		}
	}
	return out
}

// circular reports whether rows of the component may refer to each other.
func (c component) circular() bool {
	return len(c.tables) > 1 || c.refers(c.tables[0], c.tables[0])
}

// parentsFirst puts the changes of a component that refers to itself into an
// order in which a row comes after those it refers to. What refers to each
// other in a circle is inserted without one of the references, which comes
// later.
func (c component) parentsFirst(p *plan, changes []*change) (sorted, later []*change, err error) {
	if !c.circular() || len(changes) == 0 {
		return changes, nil, nil
	}
	n := c.nodes(changes, false)
	if err := n.measure(changes); err != nil {
		return nil, nil, err
	}
	sorted = slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b *change) int { return cmp.Compare(n.depth[a], n.depth[b]) })
	for _, e := range n.cut {
		later = append(later, p.newRelink(e))
	}
	return sorted, later, nil
}

// childrenFirst puts deletes into an order in which a row goes before those it
// refers to. Of what refers to each other in a circle, one lets go first.
func (c component) childrenFirst(p *plan, changes []*change) (loosened, sorted []*change, err error) {
	if !c.circular() || len(changes) == 0 {
		slices.Reverse(changes)
		return nil, changes, nil
	}
	n := c.nodes(changes, true)
	if err := n.measure(changes); err != nil {
		return nil, nil, err
	}
	sorted = slices.Clone(changes)
	slices.Reverse(sorted)
	slices.SortStableFunc(sorted, func(a, b *change) int { return cmp.Compare(n.depth[b], n.depth[a]) })
	if mysqlLike(p.dialect) { // InnoDB deletes no row that refers to itself
		n.cut = append(n.cut, n.own...)
	}
	for _, e := range n.cut {
		loosened = append(loosened, p.newLoosen(e))
	}
	return loosened, sorted, nil
}
