package stdsql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// scanError is an error of database/sql's Scan without the value that its text
// shows.
type scanError struct {
	column string
	cause  error
}

// Error implements error.
func (e *scanError) Error() string {
	text := e.cause.Error()
	switch {
	case errors.Is(e.cause, scan.ErrNull):
		text = scan.ErrNull.Error()
	case strings.HasPrefix(text, "converting driver.Value type "):
		source, _, _ := strings.Cut(strings.TrimPrefix(text, "converting driver.Value type "), " ")
		text = "a value of type " + source + " does not fit"
	case strings.HasPrefix(text, "unsupported Scan, "): // types alone
	default:
		text = "the value does not fit"
	}
	return strconv.Quote(e.column) + ": " + text
}

// Unwrap returns what database/sql said of the value.
func (e *scanError) Unwrap() error { return e.cause }

// hideValue gives an error of Rows.Scan its column in place of the value.
func hideValue(err error, names []string) error {
	if err == nil {
		return nil
	}
	rest, ok := strings.CutPrefix(err.Error(), "sql: Scan error on column index ")
	digits, _, _ := strings.Cut(rest, ",")
	i, aerr := strconv.Atoi(digits)
	cause := errors.Unwrap(err)
	if !ok || aerr != nil || i < 0 || i >= len(names) || cause == nil {
		return err
	}
	if isNull(cause.Error()) {
		cause = fmt.Errorf("%w: %w", scan.ErrNull, cause)
	}
	return scan.AtColumn(i, &scanError{column: names[i], cause: cause})
}

// isNull reports whether database/sql refused NULL (convertAssign in its
// convert.go, and driver.Bool).
func isNull(text string) bool {
	return strings.HasPrefix(text, "converting NULL to ") ||
		strings.HasPrefix(text, "unsupported Scan, storing driver.Value type <nil> into ") ||
		strings.HasPrefix(text, "sql/driver: couldn't convert <nil> ")
}
