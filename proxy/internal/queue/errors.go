package queue

// Errors are what operations fail with when it is not their own error.
type Errors struct {
	// Closed is the error of an operation submitted after [Queue.Close].
	Closed error
	// Goexit is the error of an operation that ended its goroutine.
	Goexit error
	// Panic returns the error of an operation that panicked with value.
	Panic func(value any, stack []byte) error
}
