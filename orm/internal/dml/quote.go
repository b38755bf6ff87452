package dml

import (
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Raw is text without parameters, in the database's own syntax.
type Raw string

// Render implements [engine.Statement].
func (r Raw) Render(*engine.Dialect) (text string, args []any, err error) { return string(r), nil, nil }

// QuotePath quotes a name that may have a schema in front.
func QuotePath(d *engine.Dialect, path string) string {
	parts := strings.Split(path, ".")
	for i, p := range parts {
		parts[i] = d.QuoteName(p)
	}
	return strings.Join(parts, ".")
}

// IsMySQL reports whether the database is MySQL or MariaDB.
func IsMySQL(d *engine.Dialect) bool { return d.Features.Upsert == backend.UpsertOnDuplicateKey }

// IndicesOf returns the places of columns in their table.
func IndicesOf(cols []*mapping.Column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.Index
	}
	return out
}
