package integrity_test

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// The driver's message shows the row's values in its detail; the typed error
// holds names alone.
func ExampleOf() {
	err := fmt.Errorf("insert user: %w", &pgconn.PgError{
		Code: "23505", TableName: "users", ConstraintName: "users_email_key",
		Detail: "Key (email)=(ann@example.org) already exists.",
	})
	if e, ok := integrity.Of(err); ok && e.Kind == integrity.Unique {
		fmt.Println(e)
	}
	// Output: fault: unique constraint "users_email_key" violated, table "users" (23505)
}
