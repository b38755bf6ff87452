package flush

import (
	"iter"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/depgraph"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// splitClashes takes out of deletes those that have to go first, because a row
// that is written has the same value in a unique column, and those of rows that
// refer to their tables.
func splitClashes(g *depgraph.Graph, written, gone []*change) (early, late []*change) {
	wanted := uniqueValues(written, gone)
	if len(wanted) == 0 {
		return nil, gone
	}
	first := map[*mapping.Table]bool{}
	clash := make([]bool, len(gone))
	for i, d := range gone {
		if clash[i] = d.kind == Delete && clashes(wanted, d); clash[i] {
			first[d.st.Table] = true
		}
	}
	for i, d := range gone {
		above := false
		for t := range first {
			above = above || t == d.st.Table && d.kind != Delete || t != d.st.Table && g.Refers(d.st.Table, t)
		}
		if clash[i] || above {
			early = append(early, d)
		} else {
			late = append(late, d)
		}
	}
	return early, late
}

// uniqueValue is what one row alone has.
type uniqueValue struct {
	unique *mapping.Unique
	value  string
}

// uniqueValues are those that rows are written with, of tables from which rows
// are deleted.
func uniqueValues(written, gone []*change) map[uniqueValue]bool {
	tables := map[*mapping.Table]bool{}
	for _, d := range gone {
		tables[d.st.Table] = true
	}
	var out map[uniqueValue]bool
	for _, w := range written {
		if !tables[w.st.Table] || w.sent == nil {
			continue
		}
		for u := range w.uniques() {
			if v := w.wanted(u); v != "" {
				if out == nil {
					out = map[uniqueValue]bool{}
				}
				out[uniqueValue{u, v}] = true
			}
		}
	}
	return out
}

// clashes reports whether a row that is to be deleted has a value that is
// wanted.
func clashes(wanted map[uniqueValue]bool, gone *change) bool {
	has := func(u *mapping.Unique) bool { return wanted[uniqueValue{u, folded(gone.where, u)}] }
	return slices.ContainsFunc(gone.st.Table.Uniques(), has) || has(gone.st.Table.Primary())
}

// uniques are what is unique and a change writes.
func (c *change) uniques() iter.Seq[*mapping.Unique] {
	return func(yield func(*mapping.Unique) bool) {
		if c.kind != Insert && c.kind != Update {
			return
		}
		writes := func(col *mapping.Column) bool { return slices.Contains(c.shape.Cols, col.Index) }
		for _, u := range c.st.Table.Uniques() {
			if slices.ContainsFunc(u.Columns, writes) && !yield(u) {
				return
			}
		}
		if u := c.st.Table.Primary(); slices.ContainsFunc(u.Columns, writes) {
			yield(u)
		}
	}
}

// wanted is what a change writes there; "" if it is not known yet, or NULL.
func (c *change) wanted(u *mapping.Unique) string {
	for _, col := range u.Columns {
		if c.waitsFor(col) != nil {
			return ""
		}
	}
	return folded(c.sent, u)
}

// folded are the values of what is unique without regard to case: a column may
// take "Ann" and "ann" for the same. If it does not, the order does no harm.
func folded(row memory.Pointer, u *mapping.Unique) string {
	return strings.ToLower(identity.ValueKey(row, u.Columns...))
}
