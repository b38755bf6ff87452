package assign

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// valueError is a driver's error of a value that does not fit, without the
// value, which its text may show.
type valueError struct {
	column string
	cause  error
}

// Error implements error.
func (e *valueError) Error() string {
	text := e.cause.Error()
	switch {
	case errors.Is(e.cause, scan.ErrNull):
		text = scan.ErrNull.Error()
	case strings.HasPrefix(text, "converting driver.Value type "):
		source, _, _ := strings.Cut(strings.TrimPrefix(text, "converting driver.Value type "), " ")
		text = "a value of type " + source + " does not fit"
	case strings.HasPrefix(text, "unsupported Scan, "),
		strings.HasPrefix(text, "cannot scan ") && strings.Contains(text, " format into "): // types alone
	default:
		text = "the value does not fit"
	}
	return strconv.Quote(e.column) + ": " + text
}

// Unwrap returns what the driver said of the value.
func (e *valueError) Unwrap() error { return e.cause }

// Failed returns the error of the value in a column, by its index and name,
// that did not fit its destination, for the reason that the driver gave.
func Failed(index int, column string, cause error) error {
	if isNull(cause.Error()) {
		cause = fmt.Errorf("%w: %w", scan.ErrNull, cause)
	}
	return scan.AtColumn(index, &valueError{column: column, cause: cause})
}

// isNull reports whether a driver refused NULL: database/sql (convertAssign in
// its convert.go, and driver.Bool), or pgx.
func isNull(text string) bool {
	for _, known := range [...]string{
		"converting NULL to ", "unsupported Scan, storing driver.Value type <nil> into ",
		"sql/driver: couldn't convert <nil> ", "cannot scan NULL into ",
	} {
		if strings.HasPrefix(text, known) {
			return true
		}
	}
	return false
}
