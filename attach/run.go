package attach

import (
	"context"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Run passes the call through h and finishes it, unless its result stays open.
// If open is true, the call belongs to the holder of the result, which ends it
// with [Finish]; you must not touch the call any more. Otherwise every finish
// hook has run and the call is yours again. Panics and runtime.Goexit pass
// through, with the call finished.
func Run(ctx context.Context, call *sessionproxy.Call, h sessionproxy.Handler) (open bool, err error) {
	return of(call).Run(ctx, h)
}

// KeepOpen says that the call's result outlives the handlers. A [Performer]
// calls it from Do, once the result exists; [Finish] then finishes the call.
func KeepOpen(call *sessionproxy.Call) { of(call).KeepOpen() }

// Finish ends a call whose result was left open, with the error that ended the
// result, or nil. Only the first call of Finish counts. It returns true if it
// ran the finish hooks, after which the call is free to be pooled. It returns
// false if the handlers have not returned yet, so that [Run] will run the
// hooks, if there are no hooks, or if the call was finished before. It is safe
// for concurrent use with Run and with itself, and may be called by a finish
// hook, where it does nothing.
func Finish(call *sessionproxy.Call, err error) bool { return of(call).Finish(err) }

// Loose reports whether nothing waits for the end of a call that [Run] has just
// returned open. If so, the caller can have the result as it is, and the call
// is free to be pooled without [Finish]. Ask before you hand the result out.
func Loose(call *sessionproxy.Call) bool { return of(call).Loose() }

// JudgeBy is [sessionproxy.Call.Judge] with an error other than the one the
// call is about to return. A unit of work uses it if its function returns an
// error of its own that says nothing about the database: cause is the fault
// that undid the transaction, and [sessionproxy.Call.Fault] returns it.
func JudgeBy(ctx context.Context, call *sessionproxy.Call, cause error, phase fault.Phase, progress fault.Progress) fault.Verdict {
	return of(call).JudgeBy(ctx, cause, phase, progress)
}

// JudgeOwn is [sessionproxy.Call.Judge] with an error that a function of the
// caller's own returned, after statements of which none has failed. If it says
// nothing about a database, its class is [fault.ClassCaller].
func JudgeOwn(ctx context.Context, call *sessionproxy.Call, err error, phase fault.Phase) fault.Verdict {
	return of(call).JudgeOwn(ctx, err, phase)
}

// MakeFinal says that the call's work may be permanent, whatever error it
// returns: from now on no verdict on it allows a retry, and interceptors must
// not perform it again. A unit of work calls it if its function has ended the
// transaction itself.
func MakeFinal(call *sessionproxy.Call) { of(call).MakeFinal() }

// ForbidRetry makes the verdict allow no retry. Call it after
// [sessionproxy.Call.Judge] if the current attempt failed because of a limit
// that the caller had set, such as a lock timeout, and the error does not show
// that.
func ForbidRetry(call *sessionproxy.Call) { of(call).ForbidRetry() }

// Teller returns a function that reports events to the current listeners, for
// an attachment that reports from a goroutine while the call may end. It
// returns nil if there are no listeners.
func Teller(call *sessionproxy.Call) func(e sessionproxy.Event) { return of(call).Teller() }
