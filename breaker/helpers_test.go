package breaker_test

import (
	"context"
	"errors"
	"go/ast"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
)

// sqlState is an error as pgx makes it, as far as package fault looks.
type sqlState string

func (s sqlState) Error() string    { return "server says " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

// What a server can say.
var (
	errRefused  = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED} // failure
	errLost     = io.ErrUnexpectedEOF                                             // failure, with others of its moment
	errUnique   = sqlState("23505")                                               // success: unique_violation
	errDeadlock = sqlState("40P01")                                               // excluded, though an answer: deadlock_detected
	errStrange  = errors.New("who knows")
)

// target is the database of calls that don't care.
var target = &sp.Target{System: sp.PostgreSQL, Host: "db", Port: 5432, Namespace: "app", User: "secret"}

// script is an operation that does what a test says.
type script func(ctx context.Context, call *sp.Call) error

func (s script) Do(ctx context.Context, call *sp.Call) error { return s(ctx, call) }

// newCall returns a call that is performed by do.
func newCall(op sp.Op, do script) *sp.Call {
	call := new(sp.Call)
	attach.Reset(call, do)
	call.Op, call.Target = op, target
	if op.Session() {
		call.Level = sp.LevelSession
	}
	return call
}

// answer returns a script that ends with err at once.
func answer(err error) script {
	return func(context.Context, *sp.Call) error { return err }
}

// rows is a script that leaves rows open.
func rows(_ context.Context, call *sp.Call) error {
	attach.KeepOpen(call)
	return nil
}

// rig is a breaker with a chain around it.
type rig struct {
	*breaker.Breaker
	t       testing.TB
	handler sp.Handler
}

// plain are options for tests that are not about recovery: an open time that
// neither grows nor varies, and three probes.
var plain = []breaker.Option{
	breaker.WithFirstOpenTime(time.Hour), breaker.WithOpenTime(10 * time.Second), breaker.WithJitter(func(time.Duration) time.Duration { return 0 }),
	breaker.WithProbes(3), breaker.WithProbeLease(30 * time.Second),
}

func newRig(t testing.TB, opts ...breaker.Option) *rig {
	t.Helper()
	b, err := breaker.New(append(slices.Clone(plain), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Breaker: b, t: t, handler: sp.NewChain(b).Then(attach.Perform)}
}

// run passes a call through the chain.
func (r *rig) run(call *sp.Call) error {
	_, err := attach.Run(context.Background(), call, r.handler)
	return err
}

// exec runs n statements that end with err, and fails the test if one is
// refused.
func (r *rig) exec(n int, err error) {
	r.t.Helper()
	for i := range n {
		if got := r.run(newCall(sp.OpExec, answer(err))); !errors.Is(got, err) {
			r.t.Fatalf("statement %d of %d returned %v, want %v", i+1, n, got, err)
		}
	}
}

// refuses reports whether a statement is refused now. If not, it is performed,
// without error.
func (r *rig) refuses() bool {
	r.t.Helper()
	err := r.run(newCall(sp.OpExec, answer(nil)))
	if err != nil && !errors.Is(err, breaker.ErrOpen) {
		r.t.Fatalf("statement returned %v, want nil or a refusal", err)
	}
	return err != nil
}

// want fails the test if the target's circuit is not in the state.
func (r *rig) want(state breaker.State) {
	r.t.Helper()
	if got := r.State(target); got != state {
		r.t.Fatalf("circuit is %v, want %v", got, state)
	}
}

// counts returns what the target's circuit has counted.
func (r *rig) counts() breaker.Counts { return r.status().Counts }

// status returns the status of the target's circuit.
func (r *rig) status() breaker.Status {
	r.t.Helper()
	for s := range r.States() {
		if s.Target == *target {
			return s
		}
	}
	r.t.Fatal("the target has no circuit")
	return breaker.Status{}
}

// open makes the target's circuit open.
func (r *rig) open() {
	r.t.Helper()
	for r.State(target) != breaker.StateOpen {
		r.exec(1, errRefused)
	}
}

// openError returns err's OpenError.
func openError(t testing.TB, err error) *breaker.OpenError {
	t.Helper()
	var open *breaker.OpenError
	if !errors.As(err, &open) {
		t.Fatalf("error is %v, want an OpenError", err)
	}
	if !errors.Is(err, breaker.ErrOpen) || !errors.Is(err, fault.ErrRejected) {
		t.Fatalf("%v matches not both of ErrOpen and ErrRejected", err)
	}
	return open
}

// inBubble runs a test whose time is not the clock's.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// identifiers returns the names a file uses.
func identifiers(f *ast.File) (names []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names = append(names, id.Name)
		}
		return true
	})
	return names
}
