package attach

import (
	"context"

	"github.com/sessionproxy/sessionproxy"
)

// A Performer performs a call: it is what an attachment puts behind the core of
// a chain. If its result outlives Do (rows, a transaction) it calls [KeepOpen],
// and [Finish] when the result ends.
//
// A Performer may also implement [Discarder], [Finalizer] and [Forker].
type Performer = interface {
	// Do performs the call once. It may be called again after it failed, and
	// after it succeeded if an interceptor made a failure of it.
	Do(ctx context.Context, call *sessionproxy.Call) error
}

// A Discarder is a [Performer] whose open result can be thrown away.
type Discarder interface {
	// Discard closes the result that the last Do left open: the call was
	// refused after it succeeded, and nobody will get the result.
	Discard()
}

// A Finalizer is a [Performer] that has something to write into the call when
// its open result has ended, before finish hooks run.
type Finalizer interface {
	// Finalize writes what is known at the end, such as the number of rows
	// read. It is called once, when nobody else uses the call, with the error
	// that [Finish] got.
	Finalize(err error)
}

// A Forker is a [Performer] that can be performed several times at once.
type Forker interface {
	Performer
	// Fork returns a performer that does the same, with a result of its own, or
	// nil if this one can't be performed twice at once.
	Fork() Performer
	// Adopt takes over the result of a performer that Fork returned. It runs on
	// the goroutine that runs the call.
	Adopt(winner Performer)
}

// Perform is the core handler of every attachment: it has the call's
// [Performer] perform it.
func Perform(ctx context.Context, call *sessionproxy.Call) error { return of(call).Perform(ctx) }

// PerformerOf returns the performer of a call, for the attachment that made it.
func PerformerOf(call *sessionproxy.Call) Performer { return of(call).Performer() }

// of returns a call as an attachment sees it.
func of(call *sessionproxy.Call) *sessionproxy.Attached { return (*sessionproxy.Attached)(call) }
