package proxy

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrClosed is matched by the errors of an async session's operations after
// [AsyncSession.With] or the end of its scope has closed it for good.
var ErrClosed = errors.New("proxy: the session is closed")

// A PanicError is a panic in an operation that ran on a goroutine other than
// its caller's.
type PanicError struct {
	// Value is what the operation panicked with.
	Value any
	// Stack is the stack of the goroutine that panicked, as
	// [runtime/debug.Stack] has it.
	Stack []byte
}

// Error says that the operation panicked. It includes the value if that is an
// error of the runtime; any other value may contain anything, so only its type
// is named.
func (e *PanicError) Error() string {
	if err, ok := e.Value.(runtime.Error); ok {
		return "proxy: the operation panicked: " + err.Error()
	}
	return fmt.Sprintf("proxy: the operation panicked with a value of type %T", e.Value)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrGoexit is the error of an operation that ended its goroutine by
// [runtime.Goexit].
var ErrGoexit = errors.New("proxy: the operation ended its goroutine")

// UnsupportedError reports that a method is not available on this kind of
// session. It matches [errors.ErrUnsupported].
type UnsupportedError struct {
	// Method is the method that was called.
	Method string
	// Session is the kind of session: "blocking" or "async".
	Session string
	// Instead says what to use in its place.
	Instead string
}

// Error names the method and the kind of session, and says what to use instead.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("proxy: %s: not supported by %s sessions: %s", e.Method, e.Session, e.Instead)
}

// Is reports whether target is [errors.ErrUnsupported].
func (*UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// The methods that one kind of session does not have.
var (
	errBlockingStream  = &UnsupportedError{"stream", "blocking", "use the session's own Stream, or Each"}
	errBlockingScalars = &UnsupportedError{"stream scalars", "blocking", "use the session's own Stream and its Scalars, or Each"}
	errBlockingRunSync = &UnsupportedError{"run sync", "blocking", "call the function with the session"}
	errBlockingAclose  = &UnsupportedError{"aclose", "blocking", "use Close"}
	errAsyncQuery      = &UnsupportedError{"query", "async", "use a Select with FindAll, FindFirst or FindOne, or RunSync"}
)
