package orm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// edge is a row that refers to another one of the same flush.
type edge struct {
	from, to *change
	key      foreignKey
}

// nodes are the rows of a component, and how they refer to each other.
type nodes struct {
	edges map[*change][]edge
	depth map[*change]int // of those visited; -1: on the path
	path  []edge
	cut   []edge
	own   []edge // rows to be deleted that refer to themselves
}

// nodes finds out which rows refer to which. Of rows to be deleted the columns
// count as they were read.
func (c component) nodes(changes []*change, gone bool) *nodes {
	n := &nodes{edges: map[*change][]edge{}}
	for _, t := range c.tables {
		for _, k := range c.keys[t] {
			if !slices.Contains(c.tables, k.to) {
				continue
			}
			rows := rowsByKey(changes, k, gone)
			for _, ch := range changes {
				if ch.st.table == t {
					n.connect(ch, k, rows, gone)
				}
			}
		}
	}
	return n
}

// rowsByKey returns the rows that a foreign key may refer to, by what it refers
// to.
func rowsByKey(changes []*change, k foreignKey, gone bool) map[string]*change {
	rows := map[string]*change{}
	for _, ch := range changes {
		if ch.st.table != k.to || !gone && ch.kind != inserts || !gone && ch.unknown(k.remote) {
			continue
		}
		if v := valueKey(ch.row(gone), k.remote...); v != "" {
			rows[v] = ch
		}
	}
	return rows
}

// connect notes which row ch refers to by a foreign key.
func (n *nodes) connect(ch *change, k foreignKey, rows map[string]*change, gone bool) {
	var to *change
	if w := ch.waitsFor(k.local[0]); w != nil && !gone {
		to = w.parent.insert
	} else if v := valueKey(ch.row(gone), k.local...); v != "" {
		to = rows[v]
	}
	if to == ch && gone && k.nullable() {
		n.own = append(n.own, edge{ch, to, k})
	}
	if to == nil || to == ch && (gone || !ch.unknown(k.remote)) {
		return // a row may refer to itself, if its key is known
	}
	for _, known := range n.edges[ch] {
		if known.to == to && known.key.local[0] == k.local[0] {
			return
		}
	}
	n.edges[ch] = append(n.edges[ch], edge{ch, to, k})
}

// errAgain says that a reference was cut that had been followed.
var errAgain = errors.New("again")

// measure finds the depth of all rows, cutting circles.
func (n *nodes) measure(changes []*change) error {
	for {
		err := n.visitAll(changes)
		if !errors.Is(err, errAgain) {
			return err
		}
	}
}

func (n *nodes) visitAll(changes []*change) error {
	n.depth, n.path = make(map[*change]int, len(changes)), nil
	for _, ch := range changes {
		if err := n.visit(ch); err != nil {
			return err
		}
	}
	return nil
}

// visit finds the depth of a row: one more than that of the rows it refers to.
func (n *nodes) visit(ch *change) error {
	if d, ok := n.depth[ch]; ok && d >= 0 {
		return nil
	}
	n.depth[ch] = -1
	depth := 0
	for _, e := range slices.Clone(n.edges[ch]) {
		if d, ok := n.depth[e.to]; ok && d == -1 {
			if err := n.open(e); err != nil {
				return err
			}
			continue
		}
		n.path = append(n.path, e)
		if err := n.visit(e.to); err != nil {
			return err
		}
		n.path = n.path[:len(n.path)-1]
		depth = max(depth, n.depth[e.to]+1)
	}
	n.depth[ch] = depth
	return nil
}

// open cuts the circle that e closes: at e itself, or at a reference on the way
// to it that can be NULL.
func (n *nodes) open(e edge) error {
	circle := []edge{e}
	for i := len(n.path) - 1; i >= 0 && circle[0].from != e.to; i-- {
		circle = append([]edge{n.path[i]}, circle...)
	}
	for _, c := range slices.Backward(circle) {
		if !c.key.nullable() {
			continue
		}
		n.cut = append(n.cut, c)
		n.edges[c.from] = slices.DeleteFunc(n.edges[c.from], func(o edge) bool { return sameEdge(o, c) })
		if c.from == e.from && c.to == e.to {
			return nil
		}
		return errAgain
	}
	names := []string{e.to.st.table.FullName()}
	for _, c := range circle {
		names = append(names, c.to.st.table.FullName())
	}
	return fmt.Errorf("%w: %s", ErrCircularDependency, strings.Join(names, " → "))
}

func sameEdge(a, b edge) bool { return a.to == b.to && a.key.local[0] == b.key.local[0] }

// waitsFor returns what a column waits for: the key of a row that is inserted
// in the same flush; nil if it waits for nothing.
func (c *change) waitsFor(col *mapping.Column) *reference {
	for i := range c.refs {
		if c.refs[i].cols[0] == col {
			return &c.refs[i]
		}
	}
	return nil
}
