package mapping

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrUnknownField means that a type does not have a field, column or relation
// of that name.
var ErrUnknownField = errors.New("there is no such field, column or relation")

// Error describes a mistake in the mapping of a type.
type Error struct {
	// Type is the mapped type.
	Type reflect.Type
	// Field is the field concerned; empty if the mistake concerns the type as a
	// whole.
	Field string
	// Problem says what is wrong, and how to correct it.
	Problem string
}

// Error names type, field and problem.
func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("mapping: %s: %s", e.Type, e.Problem)
	}
	return fmt.Sprintf("mapping: %s.%s: %s", e.Type, e.Field, e.Problem)
}
