package proxy

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrClosed is matched by the error of an operation that an async session is
// asked for after [AsyncSession.With] or the end of its scope closed it for good.
var ErrClosed = errors.New("proxy: the session is closed")

// A PanicError is what becomes of a panic in an operation that ran on another
// goroutine than its caller's.
type PanicError struct {
	// Value is what the operation panicked with.
	Value any
	// Stack is the stack of the goroutine that panicked, as
	// [runtime/debug.Stack] has it.
	Stack []byte
}

// Error says that the operation panicked, with what if that is an error of the
// runtime. Any other value may hold anything, so only its type is named.
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
