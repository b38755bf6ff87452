package attach

import (
	"context"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// A Failure is what becomes of a call in place of its success: a driver that
// returns Err. Package sptest makes failures; production code has no use for them.
type Failure struct {
	// Err is the error in the driver's own terms.
	Err error
	// After says that the call is performed first, and only its answer lost;
	// otherwise nothing is sent.
	After bool
	// Lost says that the connection is gone with it.
	Lost bool
	// Rows is how many rows of a query come before Err, from 1; 0 for a call that
	// fails as a whole.
	Rows int
	// Panic is what the driver panics with, in place of Err; nil: it does not.
	Panic any
	// Struck is called when rows break off, which they do only if so many come and
	// are read; nil: nobody waits for that.
	Struck func()
}

// A Failer is a [Performer] that can fail as its driver does, with all that
// follows from it for the connection and its transaction.
type Failer interface {
	// DoFailing is Do with a driver that fails.
	DoFailing(ctx context.Context, call *sessionproxy.Call, f Failure) error
	// Lost reports whether an earlier failure has cost the call its connection.
	Lost() bool
}

// Fail passes the call to next, and has its [Performer] fail as f says. A
// performer that is not a [Failer] is performed or not, as f says, and returns the
// error; whatever it knows of its connection stays as it is. Only the innermost
// interceptor calls Fail.
func Fail(ctx context.Context, call *sessionproxy.Call, next sessionproxy.Handler, f Failure) error {
	p := of(call).Performer()
	of(call).Replace(&failing{p, f})
	defer of(call).Replace(p)
	return next(ctx, call)
}

// Lost reports whether an earlier failure has cost the call its connection, so
// that the call can only fail as well.
func Lost(call *sessionproxy.Call) bool {
	f, ok := of(call).Performer().(Failer)
	return ok && f.Lost()
}

// failing stands in for a performer until that is at work.
type failing struct {
	performer Performer
	failure   Failure
}

// Do performs the call with a driver that fails.
func (p *failing) Do(ctx context.Context, call *sessionproxy.Call) error {
	of(call).Replace(p.performer)
	if able, ok := p.performer.(Failer); ok {
		return able.DoFailing(ctx, call, p.failure)
	}
	if p.failure.After {
		if err := p.performer.Do(ctx, call); err != nil {
			return err
		}
	}
	if p.failure.Panic != nil {
		panic(p.failure.Panic)
	}
	call.Judge(ctx, p.failure.Err, call.Op.Phase(), fault.ProgressUnknown)
	return p.failure.Err
}
