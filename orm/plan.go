package orm

import (
	"cmp"
	"iter"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// plan is what a flush does, in order. It is made on the goroutine that owns
// the session, performed anywhere, and applied on the owner's.
type plan struct {
	dialect *engine.Dialect
	changes []*change

	deps *dependencies // what relations want, and hold afterwards

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

// newPlan plans the flush of a session's objects. It touches none of them.
//
// Tables come before those that refer to them. Of a table, updates come first,
// by key, so that two sessions lock rows in the same order; then inserts, in the
// order of addition. Deletes come last, tables that refer to others first. A
// deleted row whose unique value is wanted by another one goes before all that.
func newPlan(d *engine.Dialect, o *objects) (*plan, error) {
	w := workOf(o)
	deps, err := collect(o, w.related, w.marked)
	if err != nil {
		return nil, err
	}
	p := &plan{dialect: d, deps: deps}
	if w.empty() && deps.empty() {
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
	for _, st := range w.dirty(deps.foreignKeys) {
		if err := note(p.newUpdate(st, p.deps.foreignKeys[st])); err != nil {
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

// written returns what the plan does to the rows of objects, in order: insert,
// update and delete them.
func (p *plan) written() iter.Seq2[*state, changeKind] {
	return func(yield func(*state, changeKind) bool) {
		for _, c := range p.changes {
			if c.kind <= deletes && !yield(c.st, c.kind) {
				return
			}
		}
	}
}

// empty reports whether there is nothing to send.
func (p *plan) empty() bool { return len(p.changes) == 0 }

// work is what a flush has to look at.
type work struct {
	added, marked, changed, related []*state
}

// workOf collects it, each in the order of addition.
func workOf(o *objects) work {
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
		if st.related() {
			w.related = append(w.related, st)
		}
	}
	return w
}

func byOrder(a, b *state) int { return cmp.Compare(a.order, b.order) }

func (w work) empty() bool { return len(w.added)+len(w.marked)+len(w.changed) == 0 }

// dirty returns the rows to update: what was changed, and what is to refer to
// something else.
func (w work) dirty(wants map[*state][]reference) []*state {
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

// addition plans what becomes of a pending object: an INSERT, or an UPDATE of
// the row of the same key that is to be deleted in the same flush.
func (p *plan) addition(o *objects, st *state) (*change, error) {
	old := o.find(st.table, identityOf(st.table, st.obj))
	if old == nil || !old.marked || keyIsZero(st.table, st.obj) {
		return p.newInsert(st, p.deps.foreignKeys[st])
	}
	return p.newSwitch(st, old, p.deps.foreignKeys[st])
}

// replaced reports whether a change takes over the row of an object.
func replaced(changes []*change, st *state) bool {
	return slices.ContainsFunc(changes, func(c *change) bool { return c.replaces == st })
}
