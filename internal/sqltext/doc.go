// Package sqltext knows what a SQL statement says: one lexer for the dialects
// of PostgreSQL, MySQL and MariaDB, and SQLite, on which stand the statement's
// summary for span names, its text without literals, its parameters, and a
// bounded cache of what was found out.
//
// Reading a text never fails. What can't be understood counts as a literal up
// to the end of the text, so that in doubt too much is hidden, never too
// little. [Compile] alone refuses a text: one whose parameters can't be right.
package sqltext

// Dialect is a dialect of SQL, as far as it matters to where a literal ends.
type Dialect uint8

const (
	// Generic is used when the dialect is not known. Where dialects disagree
	// on where a literal ends, the rest of the text counts as one.
	Generic Dialect = iota
	// PostgreSQL has dollar quotes, E'' strings and nested comments; "" quotes
	// names.
	PostgreSQL
	// MySQL, and MariaDB, has backslashes in strings, # comments and
	// executable comments; "" quotes strings.
	MySQL
	// SQLite has [] and `` for names; "" quotes a name, or a string where no
	// name fits.
	SQLite
)

// DialectOf returns the dialect of a system, named as in OpenTelemetry's
// attribute db.system.name; [Generic] if it is not known.
func DialectOf(system string) Dialect {
	switch system {
	case "postgresql", "cockroachdb":
		return PostgreSQL
	case "mysql", "mariadb":
		return MySQL
	case "sqlite":
		return SQLite
	default:
		return Generic
	}
}
