// Package sqlcgen holds what sqlc generates for a small table, in each of its
// modes and for each database, for a test of compatibility.
package sqlcgen

import _ "embed" // the schemas

//go:generate sqlc generate

// The schema of each database.
var (
	//go:embed postgres.sql
	Postgres string
	//go:embed mysql.sql
	MySQL string
	//go:embed sqlite.sql
	SQLite string
)
