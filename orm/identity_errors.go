package orm

import (
	"errors"
	"fmt"
)

// errInvalidState is matched by what an object's state does not allow.
var errInvalidState = errors.New("orm: the object's state does not allow it")

// errInvalid returns an error that matches it and says what was tried.
func errInvalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errInvalidState, fmt.Sprintf(format, args...))
}

// staleError says that a row was not found as it was read.
type staleError struct {
	// Table is the row's table.
	Table string
	// Key is the row's primary key.
	Key []any
	// Rows is how many rows the statement found.
	Rows int64
}

// Error names the table.
func (e *staleError) Error() string {
	return fmt.Sprintf("a row of %s was changed or deleted by others: %d rows where 1 was expected", e.Table, e.Rows)
}
