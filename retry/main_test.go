package retry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pgError has the shape by which fault knows PostgreSQL's errors.
type pgError string

func (e pgError) Error() string    { return "ERROR: (SQLSTATE " + string(e) + ")" }
func (e pgError) SQLState() string { return string(e) }

// fatal is one with which the server ends the session.
type fatal struct {
	pgError
	Severity string
}

// MySQLError has the shape by which fault knows MySQL's errors.
type MySQLError struct {
	Number  uint16
	Message string
}

func (e *MySQLError) Error() string { return "Error " + strconv.Itoa(int(e.Number)) }

const (
	serialization = pgError("40001")
	unique        = pgError("23505")
	noMemory      = pgError("53200")
	canceledQuery = pgError("57014")
)

var (
	errRefused  = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	tooMany     = fatal{"53300", "FATAL"}
	errLost     = io.ErrUnexpectedEOF
	errRejected = rejection{}
	errUnknown  = errors.New("something else")
)

// rejection has the shape of an open breaker's error.
type rejection struct{}

func (rejection) Error() string        { return "breaker: open" }
func (rejection) Is(target error) bool { return target == fault.ErrRejected }

// step is what comes of one performance of a call.
type step struct {
	err      error
	progress fault.Progress
	do       func(ctx context.Context) // before the error is judged
	after    func()                    // and after
}

// fails returns the steps of a script that fails with errs, one after the
// other, and then succeeds.
func fails(errs ...error) []step {
	steps := make([]step, 0, len(errs)+1)
	for _, err := range errs {
		steps = append(steps, step{err: err})
	}
	return append(steps, step{})
}

// script is an operation that does what it is told, and then the last step
// again and again.
type script struct {
	steps    []step
	performs int
	at       []time.Time
}

func (s *script) Do(ctx context.Context, call *sp.Call) error {
	step := s.steps[min(s.performs, len(s.steps)-1)]
	s.performs++
	s.at = append(s.at, time.Now())
	if step.do != nil {
		step.do(ctx)
	}
	if step.err != nil {
		call.Judge(ctx, step.err, call.Op.Phase(), step.progress)
	}
	if step.after != nil {
		step.after()
	}
	return step.err
}

// always returns a script that always fails with err.
func always(err error) *script { return &script{steps: []step{{err: err}}} }

// exec shapes a call as a statement in autocommit on a pool.
func exec(c *sp.Call) { c.Op, c.Scope, c.Text = sp.OpExec, sp.ScopePool, write }

// unit shapes a call as a unit of work.
func unit(c *sp.Call) { c.Op, c.Scope = sp.OpTransaction, sp.ScopePool }

// inTx shapes a call as a statement inside a transaction.
func inTx(c *sp.Call) { c.Op, c.InTx, c.Text = sp.OpExec, true, write }

// write is a statement that is undone as a whole.
const write = "UPDATE t SET n = 1 WHERE id = 2"

// onConn shapes a call as one of a single connection.
func onConn(op sp.Op) func(*sp.Call) {
	return func(c *sp.Call) { c.Op, c.Scope, c.Text = op, sp.ScopeConn, write }
}

func newRetry(tb testing.TB, opts ...retry.Option) *retry.Retry {
	tb.Helper()
	r, err := retry.New(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// eager returns a retry that never waits.
func eager(tb testing.TB, opts ...retry.Option) *retry.Retry {
	tb.Helper()
	opts = append([]retry.Option{retry.WithJitter(func(time.Duration) time.Duration { return 0 })}, opts...)
	return newRetry(tb, opts...)
}

// run performs op as a call of the given shape under r, and returns its error
// and its events.
func run(ctx context.Context, r sp.Interceptor, op attach.Performer, shape func(*sp.Call)) ([]sp.Event, error) {
	var call sp.Call
	var events []sp.Event
	attach.Reset(&call, op)
	attach.Bind(ctx, &call)
	shape(&call)
	call.OnEvent(func(e sp.Event) { events = append(events, e) })
	_, err := attach.Run(ctx, &call, sp.NewChain(r).Then(attach.Perform))
	return events, err
}

// performs runs a call and returns how often it was performed.
func performs(ctx context.Context, r sp.Interceptor, s *script, shape func(*sp.Call)) int {
	_, _ = run(ctx, r, s, shape)
	return s.performs
}

// unchanged reports whether err is want itself, not something around it.
func unchanged(err, want error) bool {
	return err == want
}
