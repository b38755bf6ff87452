package attach

import (
	"context"

	"github.com/sessionproxy/sessionproxy"
)

// A Performer performs a call; it does the attachment's work at the core of a
// chain. If its result outlives Do (rows, a transaction), it calls [KeepOpen],
// and [Finish] when the result ends.
//
// A Performer may also implement [Discarder], [Finalizer] and [Forker].
type Performer = interface {
	// Do performs the call once. It may be called again after it failed, and
	// after it succeeded if an interceptor turned the success into a failure.
	Do(ctx context.Context, call *sessionproxy.Call) error
}

// A Discarder is a [Performer] whose open result can be discarded.
type Discarder interface {
	// Discard closes the result that the last Do left open: the call was
	// refused after it succeeded, and no caller receives the result.
	Discard()
}

// A Finalizer is a [Performer] that completes the call when its open result has
// ended, before the finish hooks run.
type Finalizer interface {
	// Finalize sets what is known only at the end, such as the number of rows
	// read. It is called once, when nothing else uses the call, with the error
	// passed to [Finish].
	Finalize(err error)
}

// A Forker is a [Performer] that can be performed several times concurrently.
type Forker interface {
	Performer
	// Fork returns a performer that does the same, with a result of its own, or
	// nil if this one can't be performed twice concurrently.
	Fork() Performer
	// Adopt takes over the result of a performer that Fork returned. It runs on
	// the goroutine that runs the call.
	Adopt(winner Performer)
}

// Perform is the core handler of every attachment: it calls the [Performer] of
// the call.
func Perform(ctx context.Context, call *sessionproxy.Call) error { return of(call).Perform(ctx) }

// PerformerOf returns the performer of a call, for the attachment that created
// the call.
func PerformerOf(call *sessionproxy.Call) Performer { return of(call).Performer() }

// of returns the attachment's view of a call.
func of(call *sessionproxy.Call) *sessionproxy.Attached { return (*sessionproxy.Attached)(call) }
