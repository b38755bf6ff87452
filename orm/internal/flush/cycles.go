package flush

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/depgraph"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// edge is a row that refers to another one of the same flush.
type edge struct {
	from, to *change
	key      depgraph.ForeignKey
}

// nodes are the rows of a component, and how they refer to each other.
type nodes struct {
	rows     []*change
	edges    map[*change][]edge
	depth    map[*change]int
	deferred []edge // references that are left out, to open circles
	selfRefs []edge // rows to be deleted that refer to themselves
}

// newNodes finds out which rows refer to which. Of rows to be deleted the columns
// count as they were read.
func newNodes(c depgraph.Component, changes []*change, gone bool) *nodes {
	n := &nodes{rows: changes, edges: map[*change][]edge{}}
	writes := make(map[*identity.State]*change, len(changes))
	for _, ch := range changes {
		writes[ch.st] = ch
	}
	for _, t := range c.Tables {
		for _, k := range c.Keys(t) {
			rows := rowsByKey(changes, k, gone)
			for _, ch := range changes {
				if ch.st.Table == t {
					n.connect(ch, k, writes, rows, gone)
				}
			}
		}
	}
	return n
}

// rowsByKey returns the rows that a foreign key may refer to, by what it refers
// to.
func rowsByKey(changes []*change, k depgraph.ForeignKey, gone bool) map[string]*change {
	rows := map[string]*change{}
	for _, ch := range changes {
		if ch.st.Table != k.To || !gone && ch.kind != Insert || !gone && ch.unknown(k.Remote) {
			continue
		}
		if v := identity.ValueKey(ch.row(gone), k.Remote...); v != "" {
			rows[v] = ch
		}
	}
	return rows
}

// connect notes which row ch refers to by a foreign key.
func (n *nodes) connect(ch *change, k depgraph.ForeignKey, writes map[*identity.State]*change, rows map[string]*change, gone bool) {
	var to *change
	if w := ch.waitsFor(k.Local[0]); w != nil && !gone {
		to = writes[w.Parent]
	} else if v := identity.ValueKey(ch.row(gone), k.Local...); v != "" {
		to = rows[v]
	}
	if to == ch && gone && k.Nullable() {
		n.selfRefs = append(n.selfRefs, edge{ch, to, k})
	}
	if to == nil || to == ch && (gone || !ch.unknown(k.Remote)) {
		return // a row may refer to itself, if its key is known
	}
	for _, known := range n.edges[ch] {
		if known.to == to && known.key.Local[0] == k.Local[0] {
			return
		}
	}
	n.edges[ch] = append(n.edges[ch], edge{ch, to, k})
}

// carefulRounds is how often circles are opened at one row each, before what is
// left is opened at all rows at once. The first needs fewer statements, the
// second no more time.
const carefulRounds = 16

// assignDepths finds the depth of all rows, one more than that of the rows they
// refer to, leaving out references that can be NULL where they go round in a
// circle. It takes time that is linear in rows and references.
func (n *nodes) assignDepths() error {
	if err := n.openCircles(n.rows, 0); err != nil {
		return err
	}
	n.depth = make(map[*change]int, len(n.rows))
	for _, set := range n.components(n.rows) { // those that others refer to come first
		row, depth := set[0], 0
		for _, e := range n.edges[row] {
			depth = max(depth, n.depth[e.to]+1)
		}
		n.depth[row] = depth
	}
	return nil
}

func (n *nodes) components(rows []*change) [][]*change {
	return depgraph.Components(rows, func(ch *change) []*change {
		out := make([]*change, len(n.edges[ch]))
		for i, e := range n.edges[ch] {
			out[i] = e.to
		}
		return out
	})
}

// openCircles leaves out references until no rows refer to each other in a
// circle.
func (n *nodes) openCircles(rows []*change, round int) error {
	for _, set := range n.components(rows) {
		if len(set) == 1 && !n.refers(set[0], set[0]) {
			continue
		}
		slices.SortFunc(set, func(a, b *change) int { return a.st.Order - b.st.Order })
		c := newCircle(n, set)
		switch back := c.closing(); {
		case !slices.ContainsFunc(back, func(e edge) bool { return !e.key.Nullable() }):
			n.leaveOut(back)
			continue
		case round < carefulRounds:
			first, err := c.free()
			if err != nil {
				return err
			}
			n.leaveOut(c.within(first))
			if err := n.openCircles(set, round+1); err != nil {
				return err
			}
		default:
			forward, err := c.forward()
			if err != nil {
				return err
			}
			n.leaveOut(forward)
		}
	}
	return nil
}

func (n *nodes) refers(from, to *change) bool {
	return slices.ContainsFunc(n.edges[from], func(e edge) bool { return e.to == to })
}

// leaveOut defers references.
func (n *nodes) leaveOut(edges []edge) {
	for _, e := range edges {
		n.deferred = append(n.deferred, e)
		n.edges[e.from] = slices.DeleteFunc(slices.Clone(n.edges[e.from]), func(o edge) bool {
			return o.to == e.to && o.key.Local[0] == e.key.Local[0]
		})
	}
}

// waitsFor returns what a column waits for: the key of a row that is inserted
// in the same flush; nil if it waits for nothing.
func (c *change) waitsFor(col *mapping.Column) *dependency.Ref {
	for i := range c.refs {
		if c.refs[i].Cols[0] == col {
			return &c.refs[i]
		}
	}
	return nil
}

// circle is rows of which each leads to every other.
type circle struct {
	*nodes
	set []*change
	in  map[*change]bool
}

func newCircle(n *nodes, set []*change) *circle {
	c := &circle{n, set, make(map[*change]bool, len(set))}
	for _, ch := range set {
		c.in[ch] = true
	}
	return c
}

// within returns a row's references to the circle.
func (c *circle) within(ch *change) (out []edge) {
	for _, e := range c.edges[ch] {
		if c.in[e.to] {
			out = append(out, e)
		}
	}
	return out
}

// required returns a row's references to the circle that can't be left out.
func (c *circle) required(ch *change) []edge {
	return slices.DeleteFunc(c.within(ch), func(e edge) bool { return e.key.Nullable() })
}

// closing returns the references that close a circle on the way from the first
// row.
func (c *circle) closing() (out []edge) {
	c.walk(c.within, func(e edge) { out = append(out, e) }, func(*change) {})
	return out
}

// free returns the first row that could go first, if references that can be
// NULL are left out.
func (c *circle) free() (*change, error) {
	for _, ch := range c.set {
		if len(c.required(ch)) == 0 {
			return ch, nil
		}
	}
	return nil, c.closed()
}

// forward returns the references to rows that come later, in an order in which
// those that can't be NULL point back.
func (c *circle) forward() (out []edge, err error) {
	place := make(map[*change]int, len(c.set))
	c.walk(c.required, func(edge) { err = c.closed() }, func(ch *change) { place[ch] = len(place) })
	if err != nil {
		return nil, err
	}
	for _, ch := range c.set {
		for _, e := range c.within(ch) {
			if place[e.to] >= place[ch] {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// walk follows references, depth first, from every row that was not met yet. It
// calls closes with those that lead back to a row on the way, and left with each
// row when all that it refers to has been left.
func (c *circle) walk(next func(*change) []edge, closes func(edge), left func(*change)) {
	type step struct {
		row  *change
		next []edge
	}
	onWay := make(map[*change]bool, len(c.set)) // false: it was left
	for _, root := range c.set {
		if _, met := onWay[root]; met {
			continue
		}
		onWay[root] = true
		way := []step{{root, next(root)}}
		for len(way) > 0 {
			s := &way[len(way)-1]
			if len(s.next) == 0 {
				onWay[s.row] = false
				left(s.row)
				way = way[:len(way)-1]
				continue
			}
			e := s.next[0]
			s.next = s.next[1:]
			if on, met := onWay[e.to]; !met {
				onWay[e.to] = true
				way = append(way, step{e.to, next(e.to)})
			} else if on {
				closes(e)
			}
		}
	}
}

// closed is the error of a circle of references that can't be NULL.
func (c *circle) closed() error {
	targets := func(ch *change) (out []*change) {
		for _, e := range c.required(ch) {
			out = append(out, e.to)
		}
		return out
	}
	for _, set := range depgraph.Components(c.set, targets) {
		if len(set) == 1 && !slices.Contains(targets(set[0]), set[0]) {
			continue
		}
		in := make(map[*change]bool, len(set))
		for _, row := range set {
			in[row] = true
		}
		var names []string
		met := map[*change]int{}
		row := set[0]
		for {
			if at, again := met[row]; again {
				names = append(names[at:], row.st.Table.FullName())
				return fmt.Errorf("%w: %s", ErrCircular, strings.Join(names, " → "))
			}
			met[row] = len(names)
			names = append(names, row.st.Table.FullName())
			next := targets(row)
			row = next[slices.IndexFunc(next, func(to *change) bool { return in[to] })]
		}
	}
	return ErrCircular
}
