package fault_test

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/fault/testdata/sqlite3"
)

// MySQLError has the shape of go-sql-driver/mysql's error. The driver itself
// is tested in the integration module.
type MySQLError struct {
	Number   uint16
	SQLState [5]byte
	Message  string
}

func (e *MySQLError) Error() string { return fmt.Sprintf("Error %d: %s", e.Number, e.Message) }

// postgres returns a server's ERROR.
func postgres(code string) error {
	return &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: code}
}

// postgresFatal returns an error that ends the session.
func postgresFatal(code string) error {
	return &pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code}
}

func mysql(number uint16) error { return &MySQLError{Number: number} }

func sqlite(extended int) error {
	return sqlite3.Error{Code: sqlite3.ErrNo(extended & 0xff), ExtendedCode: sqlite3.ErrNoExtended(extended), Text: "text"}
}

// postgresMessage returns a server's ERROR with more of its fields.
func postgresMessage(code, message, routine string) error {
	return &pgconn.PgError{Severity: "ERROR", Code: code, Message: message, Routine: routine}
}
