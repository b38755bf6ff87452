package middleware_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// statement returns a call of op with a text.
func statement(ctx context.Context, op sp.Op, text string, operation sp.Operation) *sp.Call {
	call := newCall(ctx, op, operation)
	call.Text = text
	return call
}

func TestReadOnlyRefusesWhatIsNotCertainToRead(t *testing.T) {
	t.Parallel()
	guard := must(t)(middleware.ReadOnly())
	h := sp.NewChain(guard).Then(sp.Perform)
	for _, c := range []struct {
		op     sp.Op
		text   string
		passes bool
	}{
		{sp.OpQuery, "SELECT a FROM t", true},
		{sp.OpExec, "SELECT a FROM t", true},
		{sp.OpPrepare, "SELECT a FROM t WHERE b = ?", true},
		{sp.OpBatch, "SELECT a FROM t; SELECT b FROM u", true},
		{sp.OpBegin, "", true},
		{sp.OpCommit, "", true},
		{sp.OpRollback, "", true},
		{sp.OpTransaction, "", true},
		{sp.OpConnect, "", true},
		{sp.OpSessionFlush, "", true},
		{sp.OpExec, "BEGIN", true},
		{sp.OpQuery, "DELETE FROM t RETURNING a", false},
		{sp.OpQuery, "SELECT a FROM t FOR UPDATE", false},
		{sp.OpExec, "UPDATE t SET a = 1", false},
		{sp.OpExec, "PRAGMA user_version = 1", false},
		{sp.OpExec, "", false},
		{sp.OpPrepare, "INSERT INTO t VALUES (?)", false},
		{sp.OpBatch, "SELECT a FROM t; DELETE FROM u", false},
		{sp.OpCopy, "COPY t FROM STDIN", false},
	} {
		op := returns(nil)
		call := statement(t.Context(), c.op, c.text, op)
		admit := guard.(sp.Admitter).Admit(t.Context(), call)
		var events []sp.Event
		call.OnEvent(func(e sp.Event) { events = append(events, e) })
		_, err := call.Run(t.Context(), h)
		if c.passes {
			if err != nil || admit != nil || op.performs != 1 {
				t.Errorf("%v %q: %v, %v; want it to pass", c.op, c.text, err, admit)
			}
			continue
		}
		refusal, ok := errors.AsType[*middleware.ReadOnlyError](err)
		if !ok || refusal.Op != c.op || !errors.Is(admit, fault.ErrRejected) || op.performs != 0 {
			t.Errorf("%v %q: %v, %v; want it refused", c.op, c.text, err, admit)
		}
		if e, ok := eventOf(events, sp.EventRejected); !ok || e.Err != err || e.Detail != "read_only" {
			t.Errorf("%v %q: events %v", c.op, c.text, events)
		}
		if v := call.Verdict(err); v.Class != fault.ClassRejected || v.Retry != fault.RetryNone {
			t.Errorf("%v %q: verdict %+v", c.op, c.text, v)
		}
	}
}

func TestADeclarationDoesNotOpenTheGuard(t *testing.T) {
	t.Parallel()
	ctx := sp.WithReadOnly(t.Context())
	h := sp.NewChain(must(t)(middleware.ReadOnly())).Then(sp.Perform)
	if _, err := statement(ctx, sp.OpExec, "DELETE FROM t", returns(nil)).Run(ctx, h); !errors.Is(err, fault.ErrRejected) {
		t.Errorf("error %v, want a refusal", err)
	}
}

func TestTheTargetsDialectIsAsked(t *testing.T) {
	t.Parallel()
	h := sp.NewChain(must(t)(middleware.ReadOnly())).Then(sp.Perform)
	for system, passes := range map[sp.System]bool{sp.PostgreSQL: true, sp.MySQL: false} {
		call := statement(t.Context(), sp.OpQuery, "SELECT 1 /*! INTO OUTFILE 'f' */", returns(nil))
		call.Target = &sp.Target{System: system}
		if _, err := call.Run(t.Context(), h); (err == nil) != passes {
			t.Errorf("%s: %v", system, err)
		}
	}
}

func TestTheGuardCanBeSwitched(t *testing.T) {
	t.Parallel()
	var maintenance atomic.Bool
	guard := must(t)(middleware.ReadOnly(middleware.WithReadOnlyIf(func(context.Context) bool { return maintenance.Load() })))
	h := sp.NewChain(guard).Then(sp.Perform)
	unconcerned := sp.NewChain(guard).Screen()
	for _, on := range []bool{false, true} {
		maintenance.Store(on)
		_, err := statement(t.Context(), sp.OpExec, "DELETE FROM t", returns(nil)).Run(t.Context(), h)
		if (err != nil) != on || unconcerned(t.Context(), sp.OpExec) == on {
			t.Errorf("switched on: %v, error %v", on, err)
		}
	}
	if sp.NewChain(must(t)(middleware.ReadOnly())).Screen()(t.Context(), sp.OpExec) {
		t.Error("a guard that is always on says that it does nothing")
	}
}

func TestPermissionIsAskedOfWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	asked := ""
	h := sp.NewChain(must(t)(middleware.ReadOnly(middleware.WithPermission(func(_ context.Context, call *sp.Call) bool {
		asked += call.Text
		return call.Text == "PRAGMA table_info(t)"
	})))).Then(sp.Perform)
	for text, passes := range map[string]bool{"SELECT 1": true, "PRAGMA table_info(t)": true, "VACUUM": false} {
		asked = ""
		_, err := statement(t.Context(), sp.OpQuery, text, returns(nil)).Run(t.Context(), h)
		if (err == nil) != passes || (asked != "") != (text != "SELECT 1") {
			t.Errorf("%s: %v, asked about %q", text, err, asked)
		}
	}
}

func TestTheRefusalDoesNotShowTheStatement(t *testing.T) {
	t.Parallel()
	h := sp.NewChain(must(t)(middleware.ReadOnly())).Then(sp.Perform)
	_, err := statement(t.Context(), sp.OpExec, "DELETE FROM users WHERE name = 'alice'", nil).Run(t.Context(), h)
	if want := "middleware: exec: refused, since only reading is allowed here and this is not certain to read"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestReadOnlyRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]middleware.ReadOnlyOption{
		"middleware: WithReadOnlyIf(nil): want a function": middleware.WithReadOnlyIf(nil),
		"middleware: WithPermission(nil): want a function": middleware.WithPermission(nil),
	} {
		i, err := middleware.ReadOnly(o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("ReadOnly = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := middleware.ReadOnly(nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
