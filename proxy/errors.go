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
