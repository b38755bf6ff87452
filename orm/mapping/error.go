package mapping

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrUnknownField means that a type has no field, column or relation of that
// name.
var ErrUnknownField = errors.New("there is no such field, column or relation")

// Error says what is wrong with the mapping of a type.
type Error struct {
	// Type is the type.
	Type reflect.Type
	// Field is the field concerned; empty if it is the type as a whole.
	Field string
	// Problem says what is wrong, and what to do.
	Problem string
}

// Error names type, field and problem.
func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("mapping: %s: %s", e.Type, e.Problem)
	}
	return fmt.Sprintf("mapping: %s.%s: %s", e.Type, e.Field, e.Problem)
}
