package flush

import (
	"strings"
	"unsafe"

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

// uniqueValue is a value of a unique column.
type uniqueValue struct {
	col   *mapping.Column
	value string
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
		for _, c := range w.st.Table.Columns {
			if !c.Unique {
				continue
			}
			if v := folded(w.sent, c); v != "" {
				if out == nil {
					out = map[uniqueValue]bool{}
				}
				out[uniqueValue{c, v}] = true
			}
		}
	}
	return out
}

// clashes reports whether a row that is to be deleted has a value that is
// wanted.
func clashes(wanted map[uniqueValue]bool, gone *change) bool {
	for _, c := range gone.st.Table.Columns {
		if c.Unique && wanted[uniqueValue{c, folded(gone.st.Snapshot, c)}] {
			return true
		}
	}
	return false
}

// folded is the value of a unique column without regard to case: a column may
// take "Ann" and "ann" for the same. If it does not, the order does no harm.
func folded(row unsafe.Pointer, c *mapping.Column) string {
	return strings.ToLower(identity.ValueKey(row, c))
}
