package identity

import (
	"errors"
	"fmt"
)

// ErrInvalidState is matched by what an object's state does not allow.
var ErrInvalidState = errors.New("orm: the object's state does not allow it")

// Invalid returns an error that matches it and says what was tried.
func Invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalidState, fmt.Sprintf(format, args...))
}

// StaleError says that a row was not found as it was read.
type StaleError struct {
	// Table is the row's table.
	Table string
	// Key is the row's primary key.
	Key []any
	// Rows is how many rows the statement found.
	Rows int64
}

// Error names the table.
func (e *StaleError) Error() string {
	return fmt.Sprintf("a row of %s was changed or deleted by others: %d rows where 1 was expected", e.Table, e.Rows)
}
