package sessionproxy

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/sessionproxy/sessionproxy/fault"
)

// Attached is a [Call] as seen by the driver integration that performs it.
// Package attach offers and documents its methods as functions; interceptors
// and applications do not need them. Converting a *Call to an *Attached and
// back is free.
type Attached Call

// The interfaces of a performer; see package attach.
type (
	performer = interface {
		Do(ctx context.Context, call *Call) error
	}
	discarder interface{ Discard() }
	finalizer interface{ Finalize(err error) }
	forker    interface {
		performer
		Fork() performer
		Adopt(winner performer)
	}
)

// Perform is attach.Perform.
func (a *Attached) Perform(ctx context.Context) error { return a.performer.Do(ctx, (*Call)(a)) }

// Reset is attach.Reset.
func (a *Attached) Reset(p interface {
	Do(ctx context.Context, call *Call) error
},
) {
	hooks := a.hooks[:0]
	*a = Attached{}
	a.performer, a.RowsAffected = p, -1
	a.hooks = hooks
}

// Bind is attach.Bind.
func (a *Attached) Bind(ctx context.Context) {
	if s := scopeOf(ctx); s != nil {
		a.Marks, a.Parent = s.marks, s.upper
	}
}

// Performer is attach.PerformerOf.
func (a *Attached) Performer() interface {
	Do(ctx context.Context, call *Call) error
} {
	return a.performer
}

// Replace sets the performer, for attach.Fail.
func (a *Attached) Replace(p interface {
	Do(ctx context.Context, call *Call) error
},
) {
	a.performer = p
}

// NamedArgs is attach.NamedArgs; it does not look at the call.
func (*Attached) NamedArgs(args []driver.NamedValue) Args { return Args{named: args} }

// PlainArgs is attach.PlainArgs; it does not look at the call.
func (*Attached) PlainArgs(args []any) Args { return Args{plain: args} }

// Context is attach.Context.
func (a *Attached) Context(ctx context.Context) context.Context {
	below := &scoped{Context: ctx, scope: scope{upper: (*Call)(a)}}
	if s := scopeOf(ctx); s != nil {
		below.marks = s.marks
		below.marks.Name, below.marks.VerifyCommit = "", nil
	}
	return below
}

// JudgeBy is attach.JudgeBy.
func (a *Attached) JudgeBy(ctx context.Context, cause error, phase fault.Phase, progress fault.Progress) fault.Verdict {
	v := (*Call)(a).Judge(ctx, cause, phase, progress)
	a.fault = cause
	return v
}

// JudgeOwn is attach.JudgeOwn.
func (a *Attached) JudgeOwn(ctx context.Context, err error, phase fault.Phase) fault.Verdict {
	v := (*Call)(a).Judge(ctx, err, phase, fault.ProgressUnknown)
	if v.Class == fault.ClassUnknown && fault.Code(err) == "" && !errors.Is(err, ErrAborted) {
		a.verdict.Class = fault.ClassCaller
	}
	return a.verdict
}

// MakeFinal is attach.MakeFinal.
func (a *Attached) MakeFinal() { a.final = true }

// ForbidRetry is attach.ForbidRetry.
func (a *Attached) ForbidRetry() { a.verdict.Retry = fault.RetryNone }

// KeepOpen is attach.KeepOpen.
func (a *Attached) KeepOpen() { a.open = true }

// Run is attach.Run.
func (a *Attached) Run(ctx context.Context, h Handler) (open bool, err error) {
	c, returned := (*Call)(a), false
	defer func() {
		if !returned {
			c.discard()
			c.unwind(0, ErrAborted)
		}
	}()
	err = h(ctx, c)
	returned = true
	if c.open && err == nil {
		return c.hand(), nil
	}
	if c.open {
		c.discard()
	}
	c.unwind(0, err)
	return false, err
}

// Finish is attach.Finish.
func (a *Attached) Finish(err error) bool {
	if heir := a.heir.Load(); heir != nil {
		return (*Attached)(heir).Finish(err)
	}
	if a.state.CompareAndSwap(handlersDone, handlersDone|finishing|resultDone) {
		(*Call)(a).end(err) // the most frequent: the handlers returned before
		return true
	}
	if a.state.Or(finishing)&finishing != 0 {
		return false
	}
	a.endErr = err
	if a.state.Or(resultDone)&handlersDone != 0 {
		(*Call)(a).end(err)
		return true
	}
	if heir := a.heir.Load(); heir != nil { // adopted in this moment
		return (*Attached)(heir).Finish(err)
	}
	return false
}

// Loose is attach.Loose.
func (a *Attached) Loose() bool { return len(a.hooks) == 0 && a.state.Load() == 0 }

// Teller is attach.Teller.
func (a *Attached) Teller() func(e Event) {
	var listeners []func(Event)
	for i := range a.hooks {
		if listen := a.hooks[i].listen; listen != nil {
			listeners = append(listeners, listen)
		}
	}
	if len(listeners) == 0 {
		return nil
	}
	return func(e Event) {
		for _, listen := range listeners {
			listen(e)
		}
	}
}
