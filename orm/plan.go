package orm

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// plan is what a flush does, in order.
type plan struct {
	dialect *engine.Dialect
	changes []*change
}

// newPlan plans the flush of a session's objects. It touches none of them.
//
// Tables come before those that refer to them. Of a table, updates come first,
// by key, so that two sessions lock rows in the same order; then inserts, in the
// order of addition. Deletes come last, tables that refer to others first. A
// deleted row whose unique value is wanted by another one goes before all that.
func newPlan(d *engine.Dialect, o *objects) (*plan, error) {
	p := &plan{dialect: d}
	added := o.sorted(func(st *state) bool { return st.status == pending })
	marked := o.sorted(func(st *state) bool { return st.marked })
	kept := o.sorted(func(st *state) bool { return st.status == persistent && !st.marked })

	byTable := map[*mapping.Table][]*change{}
	note := func(c *change, err error) error {
		if err != nil || c == nil {
			return err
		}
		byTable[c.st.table] = append(byTable[c.st.table], c)
		return nil
	}
	for _, st := range kept {
		if cols := st.table.AppendChanged(nil, st.obj, st.snapshot); len(cols) > 0 {
			if err := note(newUpdate(d, st, cols)); err != nil {
				return nil, err
			}
		}
	}
	for _, st := range added {
		if err := note(p.addition(o, st)); err != nil {
			return nil, err
		}
	}
	for _, st := range marked {
		if replaced(byTable[st.table], st) {
			continue
		}
		if err := note(newDelete(d, st)); err != nil {
			return nil, err
		}
	}
	p.order(byTable)
	return p, nil
}

// addition plans what becomes of a pending object: an INSERT, or an UPDATE of
// the row of the same key that is to be deleted in the same flush.
func (p *plan) addition(o *objects, st *state) (*change, error) {
	old := o.find(st.table, identityOf(st.table, st.obj))
	if old == nil || !old.marked || keyIsZero(st.table, st.obj) {
		return newInsert(p.dialect, st)
	}
	switched := &state{table: st.table, obj: st.obj, status: persistent, snapshot: old.snapshot}
	var cols []int
	for i, c := range st.table.Columns {
		if !c.PK && !(c.Default && c.Zero(st.obj)) {
			cols = append(cols, i)
		}
	}
	c, err := newUpdate(p.dialect, switched, cols)
	if c != nil {
		c.st, c.replaces = st, old
	}
	return c, err
}

// replaced reports whether a change takes over the row of an object.
func replaced(changes []*change, st *state) bool {
	return slices.ContainsFunc(changes, func(c *change) bool { return c.replaces == st })
}

// order puts the changes of all tables into the order in which they are sent.
func (p *plan) order(byTable map[*mapping.Table][]*change) {
	tables := sortTables(byTable)
	var last []*change
	for _, t := range tables {
		changes := byTable[t]
		of := func(kind changeKind) (out []*change) {
			for _, c := range changes {
				if c.kind == kind {
					out = append(out, c)
				}
			}
			return out
		}
		updated := of(updates)
		slices.SortStableFunc(updated, byKey)
		p.changes = append(p.changes, updated...)
		p.changes = append(p.changes, parentsFirst(t, of(inserts))...)
		gone := parentsFirst(t, of(deletes))
		slices.Reverse(gone)
		last = append(gone, last...)
	}
	early, late := splitClashes(p.changes, last)
	p.changes = slices.Concat(early, p.changes, late)
}

func byKey(a, b *change) int {
	x, y := a.st.id, b.st.id
	return cmp.Or(cmp.Compare(x.n, y.n), strings.Compare(x.s, y.s))
}

// sortTables returns the tables, those that others refer to first; otherwise in
// the order in which their objects were added. References that go round in a
// circle are taken as they come: what they mean is between the rows.
func sortTables(byTable map[*mapping.Table][]*change) []*mapping.Table {
	tables := make([]*mapping.Table, 0, len(byTable))
	for t := range byTable {
		tables = append(tables, t)
	}
	first := func(t *mapping.Table) int { return byTable[t][0].st.order }
	slices.SortFunc(tables, func(a, b *mapping.Table) int { return cmp.Compare(first(a), first(b)) })
	var out []*mapping.Table
	seen := map[*mapping.Table]bool{}
	var visit func(t *mapping.Table)
	visit = func(t *mapping.Table) {
		if seen[t] {
			return
		}
		seen[t] = true
		for _, other := range tables {
			if other != t && refers(t, other) {
				visit(other)
			}
		}
		out = append(out, t)
	}
	for _, t := range tables {
		visit(t)
	}
	return out
}

// refers reports whether a table has a foreign key to another one.
func refers(t, to *mapping.Table) bool {
	return slices.ContainsFunc(t.Columns, func(c *mapping.Column) bool { return refersBy(c, to) })
}

func refersBy(c *mapping.Column, to *mapping.Table) bool {
	return c.References != nil && (c.References.Table == to.FullName() || c.References.Table == to.Name)
}

// parentsFirst puts the changes of a table that refers to itself into an order
// in which a row comes after the one it refers to.
func parentsFirst(t *mapping.Table, changes []*change) []*change {
	i := slices.IndexFunc(t.Columns, func(c *mapping.Column) bool { return refersBy(c, t) })
	if i < 0 || len(changes) < 2 {
		return changes
	}
	child := t.Columns[i]
	parent := t.Column(child.References.Column)
	if parent == nil {
		return changes
	}
	rows := make(map[string]*change, len(changes))
	for _, c := range changes {
		rows[valueKey(parent, c.st.obj)] = c
	}
	out := make([]*change, 0, len(changes))
	seen := map[*change]bool{}
	var visit func(c *change)
	visit = func(c *change) {
		if seen[c] {
			return
		}
		seen[c] = true
		if above := rows[valueKey(child, c.st.obj)]; above != nil {
			visit(above)
		}
		out = append(out, c)
	}
	for _, c := range changes {
		visit(c)
	}
	return out
}

// valueKey returns a column's value in a form that can be compared.
func valueKey(c *mapping.Column, obj unsafe.Pointer) string {
	v, err := c.Value(obj, false)
	if v == nil || err != nil {
		return ""
	}
	var b strings.Builder
	writePart(&b, v)
	return b.String()
}

// splitClashes takes out of deletes those that have to go first, because a row
// that is written has the same value in a unique column, and those of rows that
// refer to their tables.
func splitClashes(written, gone []*change) (early, late []*change) {
	first := map[*mapping.Table]bool{}
	clash := make([]bool, len(gone))
	for i, d := range gone {
		if clash[i] = clashes(written, d); clash[i] {
			first[d.st.table] = true
		}
	}
	for i, d := range gone {
		above := false
		for t := range first {
			above = above || t != d.st.table && refers(d.st.table, t)
		}
		if clash[i] || above {
			early = append(early, d)
		} else {
			late = append(late, d)
		}
	}
	return early, late
}

func clashes(written []*change, gone *change) bool {
	for _, c := range gone.st.table.Columns {
		if !c.Unique {
			continue
		}
		for _, w := range written {
			if w.st.table == gone.st.table && w.sent != nil && sameValue(c, w.sent, gone.st.snapshot) {
				return true
			}
		}
	}
	return false
}

// sameValue reports whether two rows have the same value, other than NULL.
func sameValue(c *mapping.Column, a, b unsafe.Pointer) bool {
	x, errX := c.Value(a, false)
	y, errY := c.Value(b, false)
	if x == nil || y == nil || errX != nil || errY != nil {
		return false
	}
	if bx, ok := x.([]byte); ok {
		by, ok := y.([]byte)
		return ok && bytes.Equal(bx, by)
	}
	return reflect.DeepEqual(x, y)
}
