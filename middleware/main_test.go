package middleware_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pgError has the shape by which fault knows PostgreSQL's errors.
type pgError string

func (e pgError) Error() string    { return "ERROR: (SQLSTATE " + string(e) + ")" }
func (e pgError) SQLState() string { return string(e) }

const (
	serialization = pgError("40001")
	unique        = pgError("23505")
	diskFull      = pgError("53100")
	canceledQuery = pgError("57014")
)

var errDriver = errors.New("driver failed")

// script is an operation that does what the test says, and judges its error as
// an attachment does.
type script struct {
	do        func(ctx context.Context, call *sp.Call) error
	performs  int
	discarded int
}

func (s *script) Do(ctx context.Context, call *sp.Call) error {
	s.performs++
	if s.do == nil {
		return nil
	}
	err := s.do(ctx, call)
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	}
	return err
}

func (s *script) Discard() { s.discarded++ }

// returns returns an operation that answers err.
func returns(err error) *script {
	return &script{do: func(context.Context, *sp.Call) error { return err }}
}

// opens returns an operation that leaves a result open.
func opens() *script {
	return &script{do: func(_ context.Context, call *sp.Call) error {
		call.KeepOpen()
		return nil
	}}
}

// hangs returns an operation that heeds nothing but its context, and answers
// with what fail makes of that.
func hangs(fail func(ctx context.Context) error) *script {
	return &script{do: func(ctx context.Context, _ *sp.Call) error {
		<-ctx.Done()
		return fail(ctx)
	}}
}

// ctxErr is what most drivers answer when their context has ended.
func ctxErr(ctx context.Context) error { return ctx.Err() }

// newCall returns a call of op, bound to ctx as attachments do.
func newCall(ctx context.Context, op sp.Op, operation sp.Operation) *sp.Call {
	call := new(sp.Call)
	call.Reset(operation)
	call.Op, call.Scope = op, sp.ScopePool
	if op.Session() {
		call.Level = sp.LevelSession
	}
	call.Bind(ctx)
	return call
}

// run performs operation as a call of op under the interceptors, and returns
// its error and its events.
func run(ctx context.Context, op sp.Op, operation sp.Operation, links ...sp.Interceptor) ([]sp.Event, error) {
	var events []sp.Event
	call := newCall(ctx, op, operation)
	call.OnEvent(func(e sp.Event) { events = append(events, e) })
	_, err := call.Run(ctx, sp.NewChain(links...).Then(sp.Perform))
	return events, err
}

// retrying returns an interceptor that makes up to n attempts, whatever the
// error.
func retrying(n int) sp.Interceptor {
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

// must returns the interceptor of a constructor that may not fail.
func must(t testing.TB) func(sp.Interceptor, error) sp.Interceptor {
	return func(i sp.Interceptor, err error) sp.Interceptor {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
}

// eventOf returns the first event of a kind.
func eventOf(events []sp.Event, kind sp.EventKind) (sp.Event, bool) {
	for _, e := range events {
		if e.Kind == kind {
			return e, true
		}
	}
	return sp.Event{}, false
}
