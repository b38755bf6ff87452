package schema

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// foreignKeys are the columns by which a table refers to others, once each.
func foreignKeys(t *mapping.Table) (out [][]*mapping.Column) {
	note := func(cols []*mapping.Column) {
		if !slices.ContainsFunc(out, func(known []*mapping.Column) bool { return slices.Equal(known, cols) }) {
			out = append(out, cols)
		}
	}
	for i, c := range t.Columns {
		if c.References != nil {
			note(t.Columns[i : i+1])
		}
	}
	for _, r := range t.Relations() {
		if r.Kind == mapping.BelongsTo {
			note(r.Local)
		}
	}
	return out
}

// unindexed are the foreign keys that neither the primary key nor what is unique
// begins with: who looks for what refers to a row would read the whole table.
func unindexed(t *mapping.Table) [][]*mapping.Column {
	return slices.DeleteFunc(foreignKeys(t), func(cols []*mapping.Column) bool {
		begins := func(key []*mapping.Column) bool { return len(key) >= len(cols) && slices.Equal(key[:len(cols)], cols) }
		return begins(t.Key) || slices.ContainsFunc(t.Uniques(), func(u *mapping.Unique) bool { return begins(u.Columns) })
	})
}

// indexes are CREATE INDEX for the foreign keys of a table. MySQL knows no IF NOT
// EXISTS there: its are part of the table.
func indexes(d *engine.Dialect, t *mapping.Table) (out []Definition) {
	if dml.IsMySQL(d) {
		return nil
	}
	for _, cols := range unindexed(t) {
		names := make([]string, len(cols))
		for i, c := range cols {
			names[i] = c.Name
		}
		out = append(out, createIndex(d, t.FullName(), names))
	}
	return out
}

// createIndex is CREATE INDEX IF NOT EXISTS.
func createIndex(d *engine.Dialect, table string, cols []string) Definition {
	quoted := make([]string, len(cols))
	for i, c := range cols {
		quoted[i] = d.QuoteName(c)
	}
	return Definition{table, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s (%s)",
		d.QuoteName(indexName(table, cols)), dml.QuotePath(d, table), strings.Join(quoted, ", "))}
}

// maxName is how long a name of PostgreSQL is at most.
const maxName = 63

// indexName is a name that no other index of the schema has.
func indexName(table string, cols []string) string {
	name := table[strings.LastIndexByte(table, '.')+1:] + "_" + strings.Join(cols, "_") + "_idx"
	if len(name) <= maxName {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("%s_%08x", name[:maxName-9], h.Sum32())
}
