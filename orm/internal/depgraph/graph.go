// Package depgraph finds out how tables refer to each other, and puts those that others
// refer to first.
package depgraph

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// ForeignKey is how one table refers to another.
type ForeignKey struct {
	// Local are the columns that refer.
	Local []*mapping.Column
	// To is the table that they refer to.
	To *mapping.Table
	// Remote are the columns of it that they are matched with.
	Remote []*mapping.Column
}

// Nullable reports whether the reference can be left out.
func (k ForeignKey) Nullable() bool {
	for _, c := range k.Local {
		if !c.Nullable || c.PK {
			return false
		}
	}
	return true
}

// Graph is how tables refer to each other.
type Graph struct {
	tables []*mapping.Table
	among  map[*mapping.Table]bool
	keys   map[*mapping.Table][]ForeignKey
}

// New returns the graph of tables, each given once. Where nothing else
// says which comes first, they keep their order.
func New(tables []*mapping.Table) *Graph {
	g := &Graph{tables: tables, among: map[*mapping.Table]bool{}, keys: map[*mapping.Table][]ForeignKey{}}
	for _, t := range tables {
		g.among[t] = true
	}
	for _, t := range tables {
		g.connect(t)
	}
	return g
}

// connect notes the references that a table's columns and relations tell of.
func (g *Graph) connect(t *mapping.Table) {
	note := func(from *mapping.Table, k ForeignKey) {
		if g.among[from] && g.among[k.To] {
			g.keys[from] = append(g.keys[from], k)
		}
	}
	for _, c := range t.Columns {
		if c.References == nil {
			continue
		}
		for _, to := range g.tables {
			if key := to.Column(c.References.Column); key != nil && (c.References.Table == to.FullName() || c.References.Table == to.Name) {
				note(t, ForeignKey{[]*mapping.Column{c}, to, []*mapping.Column{key}})
			}
		}
	}
	for _, r := range t.Relations() {
		switch r.Kind {
		case mapping.BelongsTo:
			note(t, ForeignKey{r.Local, r.Other, r.Remote})
		case mapping.HasOne, mapping.HasMany:
			note(r.Other, ForeignKey{r.Remote, t, r.Local})
		case mapping.ManyToMany: // the rows between the two go by themselves
		}
	}
}

// Refers reports whether a table has a foreign key to another one.
func (g *Graph) Refers(t, to *mapping.Table) bool {
	return slices.ContainsFunc(g.keys[t], func(k ForeignKey) bool { return k.To == to })
}

// Keys returns the foreign keys of a table that refer to tables of the graph.
func (g *Graph) Keys(t *mapping.Table) []ForeignKey { return g.keys[t] }

// Component is a table, or several that refer to each other in a circle.
type Component struct {
	// Tables are those of the component.
	Tables []*mapping.Table

	graph *Graph
}

// Components returns the components, those that others refer to first.
func (g *Graph) Components() []Component {
	sets := Components(g.tables, func(t *mapping.Table) []*mapping.Table {
		out := make([]*mapping.Table, len(g.keys[t]))
		for i, k := range g.keys[t] {
			out[i] = k.To
		}
		return out
	})
	out := make([]Component, len(sets))
	for i, tables := range sets {
		out[i] = Component{tables, g}
	}
	return out
}

// Circular reports whether rows of the component may refer to each other.
func (c Component) Circular() bool {
	return len(c.Tables) > 1 || c.graph.Refers(c.Tables[0], c.Tables[0])
}

// Keys returns the foreign keys of one of the component's tables that refer to
// tables of the component.
func (c Component) Keys(t *mapping.Table) (out []ForeignKey) {
	for _, k := range c.graph.keys[t] {
		if slices.Contains(c.Tables, k.To) {
			out = append(out, k)
		}
	}
	return out
}
