package orm

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// order puts the changes of all tables into the order in which they are sent.
func (p *plan) order(byTable map[*mapping.Table][]*change) error {
	g := newGraph(p.tables(byTable))
	var saved, gone, after []*change
	for _, c := range g.components() {
		changes := ofKind(updates, c.tables, byTable)
		slices.SortStableFunc(changes, byKey)
		changes = append(changes, ofKind(inserts, c.tables, byTable)...)
		sorted, later, err := p.parentsFirst(c, changes)
		if err != nil {
			return err
		}
		saved, after = append(saved, sorted...), append(after, later...)

		loosened, deleted, err := p.childrenFirst(c, ofKind(deletes, c.tables, byTable))
		if err != nil {
			return err
		}
		gone = slices.Concat(loosened, deleted, gone)
	}
	early, late := splitClashes(g, saved, gone)
	p.changes = slices.Concat(p.pairChanges(unlinks, p.deps.deletes), early, saved, after, p.pairChanges(links, p.deps.inserts), late)
	return nil
}

// pairChanges makes changes of pairs.
func (p *plan) pairChanges(kind changeKind, pairs []pair) []*change {
	out := make([]*change, len(pairs))
	for i, l := range pairs {
		out[i] = p.newPair(kind, l)
	}
	return out
}

func byKey(a, b *change) int {
	x, y := a.st.id, b.st.id
	return cmp.Or(cmp.Compare(x.n, y.n), strings.Compare(x.s, y.s))
}

// tables returns the tables that have changes, in the order of their first
// object.
func (p *plan) tables(byTable map[*mapping.Table][]*change) []*mapping.Table {
	out := make([]*mapping.Table, 0, len(byTable))
	for t := range byTable {
		out = append(out, t)
	}
	order := func(t *mapping.Table) int { return byTable[t][0].st.order }
	slices.SortFunc(out, func(a, b *mapping.Table) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a.FullName(), b.FullName()))
	})
	return out
}

// ofKind returns the changes of a kind to tables.
func ofKind(kind changeKind, tables []*mapping.Table, byTable map[*mapping.Table][]*change) (out []*change) {
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
func (p *plan) parentsFirst(c component, changes []*change) (sorted, later []*change, err error) {
	if !c.circular() || len(changes) == 0 {
		return changes, nil, nil
	}
	n := newNodes(c, changes, false)
	if err := n.assignDepths(); err != nil {
		return nil, nil, err
	}
	sorted = slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b *change) int { return cmp.Compare(n.depth[a], n.depth[b]) })
	for _, e := range n.deferred {
		later = append(later, p.newRelink(e))
	}
	return sorted, later, nil
}

// childrenFirst puts deletes into an order in which a row goes before those it
// refers to. Of what refers to each other in a circle, one lets go first.
func (p *plan) childrenFirst(c component, changes []*change) (loosened, sorted []*change, err error) {
	if !c.circular() || len(changes) == 0 {
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
	if mysqlLike(p.dialect) { // InnoDB deletes no row that refers to itself
		n.deferred = append(n.deferred, n.selfRefs...)
	}
	for _, e := range n.deferred {
		loosened = append(loosened, p.newLoosen(e))
	}
	return loosened, sorted, nil
}
