package proxy

import (
	"errors"
	"fmt"
)

// UnsupportedError says that a session of one kind has not what was asked of
// it. It matches [errors.ErrUnsupported].
type UnsupportedError struct {
	// Method is what was asked for.
	Method string
	// Session is the kind of session: "blocking" or "awaited".
	Session string
	// Instead says what to use.
	Instead string
}

// Error names method and kind of session, and what to use instead.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("proxy: %s: a %s session has no such method: %s", e.Method, e.Session, e.Instead)
}

// Is reports whether target is [errors.ErrUnsupported].
func (*UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// The methods that one kind of session has not.
var (
	errBlockingStream  = &UnsupportedError{"stream", "blocking", "use Connection and its Stream, or Select.Each"}
	errBlockingScalars = &UnsupportedError{"stream scalars", "blocking", "use Connection and its Stream, or Select.Each"}
	errBlockingRunSync = &UnsupportedError{"run sync", "blocking", "call the function with the session"}
	errBlockingAclose  = &UnsupportedError{"aclose", "blocking", "use Close"}
	errAwaitedQuery    = &UnsupportedError{"query", "awaited", "use a Select, with FindAll and its like, or RunSync"}
)
