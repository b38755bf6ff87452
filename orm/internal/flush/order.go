package flush

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/depgraph"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// order puts the changes of all tables into the order in which they are sent.
func (p *Plan) order(byTable map[*mapping.Table][]*change) error {
	g := depgraph.New(p.tables(byTable))
	var saved, gone, after []*change
	for _, c := range g.Components() {
		changes := ofKind(Update, c.Tables, byTable)
		slices.SortStableFunc(changes, byKey)
		changes = append(changes, ofKind(Insert, c.Tables, byTable)...)
		sorted, later, err := p.parentsFirst(c, changes)
		if err != nil {
			return err
		}
		saved, after = append(saved, sorted...), append(after, later...)

		loosened, deleted, err := p.childrenFirst(c, ofKind(Delete, c.Tables, byTable))
		if err != nil {
			return err
		}
		gone = slices.Concat(loosened, deleted, gone)
	}
	early, late := splitClashes(g, saved, gone)
	p.changes = slices.Concat(p.pairChanges(deleteAssociation, p.deps.Deletes), p.released(g, saved, early), early, saved, after, p.pairChanges(insertAssociation, p.deps.Inserts), late)
	return nil
}

// released returns what makes rows that are updated later let go of those that
// are deleted before: otherwise the database would refuse the DELETE, or delete
// them too. A row that must refer to something can't let go.
func (p *Plan) released(g *depgraph.Graph, saved, early []*change) (out []*change) {
	if len(early) == 0 {
		return nil
	}
	for _, c := range saved {
		if c.kind != Update || c.switchedFrom != nil {
			continue
		}
		for _, k := range g.Keys(c.st.Table) {
			loose := k
			loose.Local = slices.DeleteFunc(slices.Clone(k.Local), func(col *mapping.Column) bool { return !col.Nullable || col.PK })
			if len(loose.Local) > 0 && c.wrote(k.Local) && rowsByKey(early, k, true)[identity.ValueKey(c.where, k.Local...)] != nil {
				out = append(out, p.newNullBeforeDelete(edge{from: c, key: loose}))
			}
		}
	}
	return out
}

// pairChanges makes changes of pairs.
func (p *Plan) pairChanges(kind Kind, pairs []dependency.Pair) []*change {
	out := make([]*change, len(pairs))
	for i, l := range pairs {
		out[i] = p.newPair(kind, l)
	}
	return out
}

func byKey(a, b *change) int { return a.st.Key.Compare(b.st.Key) }

// tables returns the tables that have changes, in the order of their first
// object.
func (p *Plan) tables(byTable map[*mapping.Table][]*change) []*mapping.Table {
	out := make([]*mapping.Table, 0, len(byTable))
	for t := range byTable {
		out = append(out, t)
	}
	order := func(t *mapping.Table) int { return byTable[t][0].st.Order }
	slices.SortFunc(out, func(a, b *mapping.Table) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a.FullName(), b.FullName()))
	})
	return out
}

// ofKind returns the changes of a kind to tables.
func ofKind(kind Kind, tables []*mapping.Table, byTable map[*mapping.Table][]*change) (out []*change) {
	for _, t := range tables {
		for _, ch := range byTable[t] {
			if ch.kind == kind {
				out = append(out, ch)
			}
		}
	}
	return out
}

// parentsFirst puts the changes of a component that refers to itself into an
// order in which a row comes after those it refers to. What refers to each
// other in a circle is inserted without one of the references, which comes
// later.
func (p *Plan) parentsFirst(c depgraph.Component, changes []*change) (sorted, later []*change, err error) {
	if !c.Circular() || len(changes) == 0 {
		return p.exchange(changes, nil), nil, nil
	}
	n := newNodes(c, changes, false)
	if err := n.assignDepths(); err != nil {
		return nil, nil, err
	}
	sorted = slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b *change) int { return cmp.Compare(n.depth[a], n.depth[b]) })
	for _, e := range n.deferred {
		later = append(later, p.newPostUpdate(e))
	}
	return p.exchange(sorted, n.edges), later, nil
}

// childrenFirst puts deletes into an order in which a row goes before those it
// refers to. Of what refers to each other in a circle, one lets go first.
func (p *Plan) childrenFirst(c depgraph.Component, changes []*change) (loosened, sorted []*change, err error) {
	if !c.Circular() || len(changes) == 0 {
		slices.Reverse(changes)
		return nil, changes, nil
	}
	n := newNodes(c, changes, true)
	if err := n.assignDepths(); err != nil {
		return nil, nil, err
	}
	sorted = slices.Clone(changes)
	slices.Reverse(sorted)
	slices.SortStableFunc(sorted, func(a, b *change) int { return cmp.Compare(n.depth[b], n.depth[a]) })
	if dml.IsMySQL(p.dialect) { // InnoDB deletes no row that refers to itself
		n.deferred = append(n.deferred, n.selfRefs...)
	}
	for _, e := range n.deferred {
		loosened = append(loosened, p.newNullBeforeDelete(e))
	}
	return loosened, sorted, nil
}
