package orm

import (
	"cmp"
	"slices"
	"strings"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// plan is what a flush does, in order. It is made on the goroutine that owns
// the session, performed anywhere, and applied on the owner's.
type plan struct {
	dialect *engine.Dialect
	changes []*change

	wants    references
	released []release
	links    []pair
	unlinks  []pair
	linked   map[pairKey]bool
	settled  []settlement // relations as they are in the database afterwards

	partial []*change // of rows whose version has to be read first

	block []change // room for changes
	made  int      // those of blocks

	newOf       *mapping.Table // whose rows newSnapshot makes
	newSnapshot func() unsafe.Pointer

	cols, returning []int // room for the columns of a change
	last            *shape
	lastOf          *mapping.Table
	lastKind        changeKind
}

// settlement is what the relations of an object held when the flush was
// planned.
type settlement struct {
	st    *state
	held  [][]unsafe.Pointer
	whole bool // there are no others
}

// newPlan plans the flush of a session's objects. It touches none of them.
//
// Tables come before those that refer to them. Of a table, updates come first,
// by key, so that two sessions lock rows in the same order; then inserts, in the
// order of addition. Deletes come last, tables that refer to others first. A
// deleted row whose unique value is wanted by another one goes before all that.
func newPlan(d *engine.Dialect, o *objects) (*plan, error) {
	p := &plan{dialect: d, wants: references{}, linked: map[pairKey]bool{}}
	w := o.work()
	if err := p.relateAll(o, w); err != nil {
		return nil, err
	}
	if w.empty() && len(p.wants)+len(p.links)+len(p.unlinks) == 0 {
		return p, nil
	}
	byTable := map[*mapping.Table][]*change{}
	note := func(c *change, err error) error {
		if err != nil || c == nil {
			return err
		}
		byTable[c.st.table] = append(byTable[c.st.table], c)
		return nil
	}
	for _, st := range w.added {
		if err := note(p.addition(o, st)); err != nil {
			return nil, err
		}
	}
	for _, st := range w.dirty(p.wants) {
		if err := note(p.newUpdate(st, p.wants[st])); err != nil {
			return nil, err
		}
	}
	for _, st := range w.marked {
		if replaced(byTable[st.table], st) {
			continue
		}
		if err := note(p.newDelete(st), nil); err != nil {
			return nil, err
		}
	}
	return p, p.order(byTable)
}

// work is what a flush has to look at.
type work struct {
	added, marked, changed, related []*state
}

// work collects it, each in the order of addition.
func (o *objects) work() work {
	var w work
	for st := range o.all() {
		switch {
		case st.doomed():
		case st.status == pending:
			w.added = append(w.added, st)
		case st.marked:
			w.marked = append(w.marked, st)
		case st.status == persistent && st.table.Changed(st.obj, st.snapshot):
			w.changed = append(w.changed, st)
		}
		if related(st) {
			w.related = append(w.related, st)
		}
	}
	return w
}

func byOrder(a, b *state) int { return cmp.Compare(a.order, b.order) }

func (w work) empty() bool { return len(w.added)+len(w.marked)+len(w.changed) == 0 }

// dirty returns the rows to update: what was changed, and what is to refer to
// something else.
func (w work) dirty(wants references) []*state {
	if len(wants) == 0 {
		return w.changed
	}
	out := slices.Clone(w.changed)
	known := make(map[*state]bool, len(out))
	for _, st := range out {
		known[st] = true
	}
	for st := range wants {
		if st.status == persistent && !known[st] {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, byOrder)
	return out
}

// relateAll finds out what the relations of all objects want.
func (p *plan) relateAll(o *objects, w work) error {
	for _, st := range w.related {
		if err := p.relate(o, st); err != nil {
			return err
		}
	}
	for _, st := range w.marked {
		p.abandon(o, st)
	}
	for _, r := range p.released { // now it is known who has whom
		if err := p.want(r.child, r.reference); err != nil {
			return err
		}
	}
	for _, st := range w.related {
		if st.status == pending || st.relationsModified() {
			p.settled = append(p.settled, settlementOf(st))
		}
	}
	return nil
}

// addition plans what becomes of a pending object: an INSERT, or an UPDATE of
// the row of the same key that is to be deleted in the same flush.
func (p *plan) addition(o *objects, st *state) (*change, error) {
	old := o.find(st.table, identityOf(st.table, st.obj))
	if old == nil || !old.marked || keyIsZero(st.table, st.obj) {
		c, err := p.newInsert(st, p.wants[st])
		st.insert = c
		return c, err
	}
	return p.newSwitch(st, old, p.wants[st])
}

// replaced reports whether a change takes over the row of an object.
func replaced(changes []*change, st *state) bool {
	return slices.ContainsFunc(changes, func(c *change) bool { return c.replaces == st })
}

// order puts the changes of all tables into the order in which they are sent.
func (p *plan) order(byTable map[*mapping.Table][]*change) error {
	g := newGraph(byTable)
	var saved, gone, after []*change
	for _, c := range g.components() {
		changes := c.changes(updates, byTable)
		slices.SortStableFunc(changes, byKey)
		changes = append(changes, c.changes(inserts, byTable)...)
		sorted, later, err := c.parentsFirst(p, changes)
		if err != nil {
			return err
		}
		saved, after = append(saved, sorted...), append(after, later...)

		loosened, deleted, err := c.childrenFirst(p, c.changes(deletes, byTable))
		if err != nil {
			return err
		}
		gone = slices.Concat(loosened, deleted, gone)
	}
	early, late := splitClashes(g, saved, gone)
	p.changes = slices.Concat(p.pairChanges(unlinks, p.unlinks), early, saved, after, p.pairChanges(links, p.links), late)
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

func settlementOf(st *state) settlement {
	out := settlement{st: st, whole: st.status == pending, held: make([][]unsafe.Pointer, len(st.table.Relations()))}
	for i, r := range st.table.Relations() {
		out.held[i] = st.members(r)
	}
	return out
}
