package linktest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// PgError has the shape by which fault knows PostgreSQL's errors.
type PgError string

// Error returns the code, as pgx writes it.
func (e PgError) Error() string { return "ERROR: (SQLSTATE " + string(e) + ")" }

// SQLState returns the code.
func (e PgError) SQLState() string { return string(e) }

// Errors of each kind that tests need.
const (
	ErrSerialization = PgError("40001")
	ErrUnique        = PgError("23505")
	ErrDiskFull      = PgError("53100")
	ErrCanceledQuery = PgError("57014")
)

// ErrDriver is an error that says nothing.
var ErrDriver = errors.New("driver failed")

// Script is an operation that does what the test says, and judges its error as
// an attachment does.
type Script struct {
	// Act is what it does; nil for nothing.
	Act func(ctx context.Context, call *sp.Call) error
	// Performed is how often it was performed.
	Performed int
	// Discarded is how often its result was thrown away.
	Discarded int
}

// Do performs the call.
func (s *Script) Do(ctx context.Context, call *sp.Call) error {
	s.Performed++
	if s.Act == nil {
		return nil
	}
	err := s.Act(ctx, call)
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	}
	return err
}

// Discard counts a result that was thrown away.
func (s *Script) Discard() { s.Discarded++ }

// Returns returns an operation that answers err.
func Returns(err error) *Script {
	return &Script{Act: func(context.Context, *sp.Call) error { return err }}
}

// Opens returns an operation that leaves a result open.
func Opens() *Script {
	return &Script{Act: func(_ context.Context, call *sp.Call) error {
		attach.KeepOpen(call)
		return nil
	}}
}

// Hangs returns an operation that heeds nothing but its context, and answers
// with what fail makes of that.
func Hangs(fail func(ctx context.Context) error) *Script {
	return &Script{Act: func(ctx context.Context, _ *sp.Call) error {
		<-ctx.Done()
		return fail(ctx)
	}}
}

// CtxErr is what most drivers answer when their context has ended.
func CtxErr(ctx context.Context) error { return ctx.Err() }

// NewCall returns a call of op, bound to ctx as attachments do.
func NewCall(ctx context.Context, op sp.Op, operation attach.Performer) *sp.Call {
	call := new(sp.Call)
	attach.Reset(call, operation)
	call.Op, call.Scope = op, sp.ScopePool
	if op.Session() {
		call.Level = sp.LevelSession
	}
	attach.Bind(ctx, call)
	return call
}

// Run performs operation as a call of op under the interceptors, and returns
// its error and its events.
func Run(ctx context.Context, op sp.Op, operation attach.Performer, links ...sp.Interceptor) ([]sp.Event, error) {
	var events []sp.Event
	call := NewCall(ctx, op, operation)
	call.OnEvent(func(e sp.Event) { events = append(events, e) })
	_, err := attach.Run(ctx, call, sp.NewChain(links...).Then(attach.Perform))
	return events, err
}

// Retrying returns an interceptor that makes up to n attempts, whatever the
// error.
func Retrying(n int) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			for {
				err := call.Try(ctx, next)
				if err == nil || call.Attempt() == n {
					return err
				}
				call.Event(sp.Event{Kind: sp.EventRetry, Attempt: call.Attempt(), Err: err})
			}
		}
	})
}

// Must returns the interceptor of a constructor that may not fail.
func Must(t testing.TB) func(sp.Interceptor, error) sp.Interceptor {
	return func(i sp.Interceptor, err error) sp.Interceptor {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
}

// EventOf returns the first event of a kind.
func EventOf(events []sp.Event, kind sp.EventKind) (sp.Event, bool) {
	for _, e := range events {
		if e.Kind == kind {
			return e, true
		}
	}
	return sp.Event{}, false
}

// Statement returns a call of op with a text.
func Statement(ctx context.Context, op sp.Op, text string, operation attach.Performer) *sp.Call {
	call := NewCall(ctx, op, operation)
	call.Text = text
	return call
}

// Bubble runs a test with a clock that moves only while everybody waits.
func Bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// One returns options of which the last is o.
func One[O any](o O) []O { return []O{o} }

// Panics returns an operation that panics with v.
func Panics(v any) *Script {
	return &Script{Act: func(context.Context, *sp.Call) error { panic(v) }}
}

// RunCaught runs a call, and reports whether it panicked.
func RunCaught(call *sp.Call, h sp.Handler) (open bool, err error, panicked bool) {
	defer func() {
		if recover() != nil {
			panicked = true
		}
	}()
	open, err = attach.Run(context.Background(), call, h)
	return open, err, false
}
