// Package flush plans what has to be sent for a session's objects, sends it, and writes
// what came of it into them.
package flush

import (
	"cmp"
	"iter"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Plan is what a flush does, in order. It is made on the goroutine that owns
// the session, performed anywhere, and applied on the owner's.
type Plan struct {
	dialect *engine.Dialect
	changes []*change

	deps *dependency.Set // what relations want, and hold afterwards

	partial []*change // of rows whose version has to be read first
	unsaid  []*change // of rows that get defaults which have to be read first

	block []change // room for changes
	made  int      // those of blocks

	newOf       *mapping.Table // whose rows newSnapshot makes
	newSnapshot func() memory.Pointer

	cols, returning []int // room for the columns of a change
	last            *dml.Shape
	lastOf          *mapping.Table
	lastKind        Kind
}

// noDependencies are what no relation wants; it is not changed.
var noDependencies dependency.Set

// New plans the flush of a session's objects. It touches none of them.
//
// Tables come before those that refer to them. Of a table, updates come first,
// by key, so that two sessions lock rows in the same order; then inserts, in the
// order of addition. Deletes come last, tables that refer to others first. A
// deleted row whose unique value is wanted by another one goes before all that.
func New(d *engine.Dialect, o *identity.Map) (*Plan, error) {
	c := candidatesOf(o)
	if c.empty() && len(c.related) == 0 {
		return &Plan{dialect: d, deps: &noDependencies}, nil // as before most queries
	}
	deps, err := dependency.Collect(o, c.related, c.marked)
	if err != nil {
		return nil, err
	}
	p := &Plan{dialect: d, deps: deps}
	if c.empty() && deps.Empty() {
		return p, nil
	}
	byTable := map[*mapping.Table][]*change{}
	note := func(c *change, err error) error {
		if err != nil || c == nil {
			return err
		}
		byTable[c.st.Table] = append(byTable[c.st.Table], c)
		return nil
	}
	for _, st := range c.added {
		if err := note(p.addition(o, st)); err != nil {
			return nil, err
		}
	}
	for _, st := range c.dirty(deps.ForeignKeys) {
		if err := note(p.newUpdate(st, p.deps.ForeignKeys[st])); err != nil {
			return nil, err
		}
	}
	for _, st := range c.marked {
		if replaced(byTable[st.Table], st) {
			continue
		}
		if err := note(p.newDelete(st), nil); err != nil {
			return nil, err
		}
	}
	if err := p.order(byTable); err != nil {
		return p, err
	}
	if f := p.follow(o); f != nil {
		return p, f.verify(p)
	}
	return p, nil
}

// Changes returns what the plan does to the rows of objects, in order: insert,
// update and delete them.
func (p *Plan) Changes() iter.Seq2[*identity.State, Kind] {
	return func(yield func(*identity.State, Kind) bool) {
		for _, c := range p.changes {
			if c.kind <= Delete && !yield(c.st, c.kind) {
				return
			}
		}
	}
}

// Empty reports whether there is nothing to send.
func (p *Plan) Empty() bool { return len(p.changes) == 0 }

// candidates are the objects that a flush has to look at.
type candidates struct {
	added, marked, changed, related []*identity.State
}

// candidatesOf collects them, each kind in the order of addition.
func candidatesOf(o *identity.Map) candidates {
	var c candidates
	for st := range o.All() {
		switch {
		case st.Discarded():
		case st.Status == identity.Pending:
			c.added = append(c.added, st)
		case st.Marked:
			c.marked = append(c.marked, st)
		case st.Status == identity.Persistent && st.Table.Changed(st.Object, st.Snapshot):
			c.changed = append(c.changed, st)
		}
		if st.Related() {
			c.related = append(c.related, st)
		}
	}
	return c
}

func byOrder(a, b *identity.State) int { return cmp.Compare(a.Order, b.Order) }

func (c candidates) empty() bool { return len(c.added)+len(c.marked)+len(c.changed) == 0 }

// dirty returns the rows to update: what was changed, and what is to refer to
// something else.
func (c candidates) dirty(wants map[*identity.State][]dependency.Ref) []*identity.State {
	if len(wants) == 0 {
		return c.changed
	}
	out := slices.Clone(c.changed)
	known := make(map[*identity.State]bool, len(out))
	for _, st := range out {
		known[st] = true
	}
	for st := range wants {
		if st.Status == identity.Persistent && !known[st] {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, byOrder)
	return out
}

// addition plans what becomes of a pending object: an INSERT, or an UPDATE of
// the row of the same key that is to be deleted in the same flush.
func (p *Plan) addition(o *identity.Map, st *identity.State) (*change, error) {
	row := p.keyed(st)
	old := o.Find(st.Table, identity.KeyOf(st.Table, row))
	if old == nil || !old.Marked || identity.KeyIsZero(st.Table, row) {
		return p.newInsert(st, p.deps.ForeignKeys[st])
	}
	return p.newRowSwitch(st, old, p.deps.ForeignKeys[st])
}

// keyed returns a row with the key that a pending object will have, as far as
// that is known: relations may fill it in. If the key of the parent changes in the
// same flush, a row that follows it has the one before as yet.
func (p *Plan) keyed(st *identity.State) memory.Pointer {
	row := st.Object
	for _, w := range p.deps.ForeignKeys[st] {
		for i, col := range w.Cols {
			if !col.PK || w.Parent == nil || w.Generated(i) {
				continue
			}
			if row == st.Object {
				row = st.Table.Snapshot(st.Object)
			}
			_ = col.Refer(row, w.Keys[i], w.Parent.Before()) // if it fails, so will the change
		}
	}
	return row
}

// replaced reports whether a change takes over the row of an object.
func replaced(changes []*change, st *identity.State) bool {
	return slices.ContainsFunc(changes, func(c *change) bool { return c.switchedFrom == st })
}
