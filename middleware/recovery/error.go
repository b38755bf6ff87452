package recovery

import (
	"reflect"
	"runtime"

	sp "github.com/sessionproxy/sessionproxy"
)

// PanicError is the error of a call that panicked and was recovered by
// [New].
//
// It does not unwrap to Value, even if that is an error: a driver that panicked
// with an error is not a call that failed with it, and must not be retried
// because of it.
type PanicError struct {
	// Op is the call's operation.
	Op sp.Op
	// Value is the argument of panic. It may hold anything, including
	// application data.
	Value any
	// Stack is the stack of the goroutine that panicked, as by
	// [runtime/debug.Stack].
	Stack []byte
}

// Error returns a message with the operation and the type of Value. The text of
// Value is included only for errors of the Go runtime, which mention types,
// indexes and addresses; any other might show data.
func (e *PanicError) Error() string {
	text := "recovery: " + e.Op.String() + ": panic: " + typeName(e.Value)
	if fault, ok := e.Value.(runtime.Error); ok && ofRuntime(e.Value) {
		text += ": " + fault.Error()
	}
	return text
}

// StackTrace returns Stack, for interceptors that record it, such as logging.
func (e *PanicError) StackTrace() []byte { return e.Stack }

// ofRuntime reports whether the type of v is the Go runtime's own.
func ofRuntime(v any) bool {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "runtime"
}

// typeName returns the name of v's type.
func typeName(v any) string {
	if v == nil {
		return "nil"
	}
	return reflect.TypeOf(v).String()
}
