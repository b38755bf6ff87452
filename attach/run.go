package attach

import (
	"context"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Run passes the call through h and finishes it, unless its result stays open.
// If open is true, the call belongs to whoever holds the result, who ends it with
// [Finish]; the caller must not touch the call any more. Otherwise every finish
// hook has run and the call is the caller's again. Panics and runtime.Goexit pass
// through, with the call finished.
func Run(ctx context.Context, call *sessionproxy.Call, h sessionproxy.Handler) (open bool, err error) {
	return of(call).Run(ctx, h)
}

// KeepOpen says that the call's result lives on after the handler returns. A
// [Performer] calls it from Do, once the result exists; the call is then finished
// by [Finish].
func KeepOpen(call *sessionproxy.Call) { of(call).KeepOpen() }

// Finish ends a call whose result was left open, with the error the result ended
// with, or nil. Only the first call of Finish counts. It returns true when it ran
// the finish hooks, after which the call is free to be pooled; it returns false
// when the handlers are still at work, so that [Run] will run them, when there
// are none, or when the call was finished before. It is safe for concurrent use
// with Run and with itself, and may be called by a finish hook, where it does
// nothing.
func Finish(call *sessionproxy.Call, err error) bool { return of(call).Finish(err) }

// Loose reports whether nobody waits for the end of a call that [Run] has just
// returned open. Then its result can go to the caller as it is, and the call is
// free to be pooled without [Finish]. An attachment asks before it hands the
// result to anyone.
func Loose(call *sessionproxy.Call) bool { return of(call).Loose() }

// JudgeBy is [sessionproxy.Call.Judge] by an error other than the one the call is about to return.
// A unit of work uses it when its function returns an error of its own that says
// nothing of what the database did: cause is the fault that undid the
// transaction, and [sessionproxy.Call.Fault] returns it.
func JudgeBy(ctx context.Context, call *sessionproxy.Call, cause error, phase fault.Phase, progress fault.Progress) fault.Verdict {
	return of(call).JudgeBy(ctx, cause, phase, progress)
}

// MakeFinal says that what the call has done may stand, whatever error it
// returns: from now on no verdict on it allows a retry, and interceptors must not
// perform it again. A unit of work says so when its function has ended the
// transaction itself.
func MakeFinal(call *sessionproxy.Call) { of(call).MakeFinal() }

// ForbidRetry says, after [sessionproxy.Call.Judge], that the current attempt failed by a limit
// that the caller had set, such as one on the wait for locks, where the error does
// not tell: the verdict allows no retry.
func ForbidRetry(call *sessionproxy.Call) { of(call).ForbidRetry() }

// Teller returns a function that reports events to those who listen now, for an
// attachment that reports on a goroutine beside which the call may end. It
// returns nil if nobody listens.
func Teller(call *sessionproxy.Call) func(e sessionproxy.Event) { return of(call).Teller() }
