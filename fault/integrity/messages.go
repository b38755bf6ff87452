package integrity

import (
	"strings"
)

// MySQL and SQLite tell a violated constraint in a message only. What follows
// reads names out of it, from the end where values stand in front of them, and
// never keeps a value.

// readMySQL reads MySQL's or MariaDB's message. Formats: MySQL error reference
// and MariaDB's errmsg-utf8.txt, by number.
func (e *Error) readMySQL(message string) {
	switch e.Code {
	case "1062", "1586", "1557", "1022", "1169":
		e.Kind = Unique
		e.readKey(message)
	case "1451", "1452", "1216", "1217":
		e.Kind = ForeignKey
		e.readForeignKey(message)
	case "1048", "1364":
		e.Kind = NotNull
		e.Column = between(message, "'", "'") // Column 'c' cannot be null; Field 'c' doesn't have a default value
	case "3819":
		e.Kind = Check
		e.Constraint = between(message, "'", "'") // Check constraint 'k' is violated.
	case "4025":
		e.Kind = Check
		e.readCheck(message)
	case "1369":
		e.Kind = Check
	}
}

// readKey reads "Duplicate entry 'v' for key 'k'". MySQL 8.0.19 and later put
// the table in front of the key.
func (e *Error) readKey(message string) {
	const before = "' for key '"
	i := strings.LastIndex(message, before) // a value may hold the words too; it stands in front
	if i < 0 || e.Code == "1557" {
		return
	}
	key, ok := strings.CutSuffix(message[i+len(before):], "'")
	if !ok {
		return
	}
	if table, name, ok := strings.Cut(key, "."); ok {
		e.Table, key = table, name
	}
	e.Constraint = key
}

// readForeignKey reads "… a foreign key constraint fails (`db`.`table`,
// CONSTRAINT `k` FOREIGN KEY (`c`, `d`) REFERENCES …)".
func (e *Error) readForeignKey(message string) {
	_, rest, ok := strings.Cut(message, "fails (")
	if !ok {
		return
	}
	names, rest, _ := strings.Cut(rest, ", CONSTRAINT ")
	e.Table = lastName(names)
	name, rest, ok := strings.Cut(rest, " FOREIGN KEY (")
	if !ok {
		return
	}
	e.Constraint = lastName(name)
	columns, _, _ := strings.Cut(rest, ") REFERENCES ")
	e.Column = plainNames(columns)
}

// readCheck reads MariaDB's "CONSTRAINT `k` failed for `db`.`table`". The
// check of a column bears the column's name, with the table in front.
func (e *Error) readCheck(message string) {
	name, table, ok := strings.Cut(strings.TrimPrefix(message, "CONSTRAINT "), " failed for ")
	if !ok {
		return
	}
	e.Constraint, e.Table = lastName(name), lastName(table)
}

// sqliteKinds are the extended result codes of SQLITE_CONSTRAINT by kind:
// sqlite.org/rescode.html.
var sqliteKinds = map[string]Kind{
	"275":  Check,      // SQLITE_CONSTRAINT_CHECK
	"787":  ForeignKey, // SQLITE_CONSTRAINT_FOREIGNKEY
	"1299": NotNull,    // SQLITE_CONSTRAINT_NOTNULL
	"1555": Unique,     // SQLITE_CONSTRAINT_PRIMARYKEY
	"2067": Unique,     // SQLITE_CONSTRAINT_UNIQUE
	"2579": Unique,     // SQLITE_CONSTRAINT_ROWID
	"3091": Check,      // SQLITE_CONSTRAINT_DATATYPE: a STRICT table
}

// sqliteMessages are the beginnings of SQLite's messages, for drivers that
// give no extended code.
var sqliteMessages = [...]struct {
	text string
	kind Kind
}{
	{"UNIQUE constraint failed", Unique},
	{"PRIMARY KEY must be unique", Unique},
	{"NOT NULL constraint failed", NotNull},
	{"CHECK constraint failed", Check},
	{"FOREIGN KEY constraint failed", ForeignKey},
}

// readSQLite reads SQLite's message: "UNIQUE constraint failed: t.a, t.b",
// "CHECK constraint failed: k", with what the driver puts around it.
func (e *Error) readSQLite(message string) {
	e.Kind = sqliteKinds[e.Code]
	for _, m := range sqliteMessages {
		i := strings.Index(message, m.text)
		if i < 0 {
			continue
		}
		e.Kind = m.kind
		if detail, ok := strings.CutPrefix(message[i+len(m.text):], ": "); ok {
			e.readNames(trimCode(detail, e.Code))
		}
		return
	}
}

// readNames reads what follows the colon: columns with their table, "index
// 'i'" for a unique index on expressions, or the name of a check.
func (e *Error) readNames(detail string) {
	switch {
	case e.Kind == Check:
		e.Constraint = detail // its name, or its expression if it has none
	case strings.HasPrefix(detail, "index '"):
		e.Constraint = between(detail, "'", "'")
	default:
		columns := strings.Split(detail, ", ")
		for i, c := range columns {
			if table, column, ok := strings.Cut(c, "."); ok {
				e.Table, columns[i] = table, column
			}
		}
		e.Column = strings.Join(columns, ", ")
	}
}

// trimCode removes the code that modernc.org/sqlite puts behind a message.
func trimCode(detail, code string) string { return strings.TrimSuffix(detail, " ("+code+")") }

// between returns what stands between the first open and the next shut.
func between(s, open, shut string) string {
	_, rest, ok := strings.Cut(s, open)
	if !ok {
		return ""
	}
	name, _, ok := strings.Cut(rest, shut)
	if !ok {
		return ""
	}
	return name
}

// lastName returns the last of dotted names in backquotes, without them.
func lastName(s string) string {
	s = strings.TrimSuffix(strings.TrimSpace(s), "`")
	if i := strings.LastIndex(s, "`"); i >= 0 {
		return s[i+1:]
	}
	return s
}

// plainNames returns a list of names in backquotes without them.
func plainNames(s string) string { return strings.ReplaceAll(s, "`", "") }
