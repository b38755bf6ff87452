package orm

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// foreignKey is how one table refers to another.
type foreignKey struct {
	// local are the columns that refer.
	local []*mapping.Column
	// to is the table that they refer to.
	to *mapping.Table
	// remote are the columns of it that they are matched with.
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
	tables []*mapping.Table
	among  map[*mapping.Table]bool
	keys   map[*mapping.Table][]foreignKey
}

// newGraph returns the graph of tables, each given once. Where nothing else
// says which comes first, they keep their order.
func newGraph(tables []*mapping.Table) *graph {
	g := &graph{tables: tables, among: map[*mapping.Table]bool{}, keys: map[*mapping.Table][]foreignKey{}}
	for _, t := range tables {
		g.among[t] = true
	}
	for _, t := range tables {
		g.connect(t)
	}
	return g
}

// connect notes the references that a table's columns and relations tell of.
func (g *graph) connect(t *mapping.Table) {
	note := func(from *mapping.Table, k foreignKey) {
		if g.among[from] && g.among[k.to] {
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
	// tables are those of the component.
	tables []*mapping.Table

	graph *graph
}

// components returns the components, those that others refer to first.
func (g *graph) components() []component {
	sets := strongComponents(g.tables, func(t *mapping.Table) []*mapping.Table {
		out := make([]*mapping.Table, len(g.keys[t]))
		for i, k := range g.keys[t] {
			out[i] = k.to
		}
		return out
	})
	out := make([]component, len(sets))
	for i, tables := range sets {
		out[i] = component{tables, g}
	}
	return out
}

// circular reports whether rows of the component may refer to each other.
func (c component) circular() bool {
	return len(c.tables) > 1 || c.graph.refers(c.tables[0], c.tables[0])
}

// keys returns the foreign keys of one of the component's tables that refer to
// tables of the component.
func (c component) keys(t *mapping.Table) (out []foreignKey) {
	for _, k := range c.graph.keys[t] {
		if slices.Contains(c.tables, k.to) {
			out = append(out, k)
		}
	}
	return out
}
