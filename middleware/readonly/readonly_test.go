package readonly_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/readonly"
)

func TestReadOnlyRefusesWhatIsNotCertainToRead(t *testing.T) {
	t.Parallel()
	guard := linktest.Must(t)(readonly.New())
	h := sp.NewChain(guard).Then(attach.Perform)
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
		{sp.SessionOp("flush"), "", true},
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
		op := linktest.Returns(nil)
		call := linktest.Statement(t.Context(), c.op, c.text, op)
		admit := guard.(sp.Admitter).Admit(t.Context(), call)
		var events []sp.Event
		call.OnEvent(func(e sp.Event) { events = append(events, e) })
		_, err := attach.Run(t.Context(), call, h)
		if c.passes {
			if err != nil || admit != nil || op.Performed != 1 {
				t.Errorf("%v %q: %v, %v; want it to pass", c.op, c.text, err, admit)
			}
			continue
		}
		refusal, ok := errors.AsType[*readonly.Error](err)
		if !ok || refusal.Op != c.op || !errors.Is(admit, fault.ErrRejected) || op.Performed != 0 {
			t.Errorf("%v %q: %v, %v; want it refused", c.op, c.text, err, admit)
		}
		if e, ok := linktest.EventOf(events, sp.EventRejected); !ok || e.Err != err || e.Detail != "read_only" {
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
	h := sp.NewChain(linktest.Must(t)(readonly.New())).Then(attach.Perform)
	if _, err := attach.Run(ctx, linktest.Statement(ctx, sp.OpExec, "DELETE FROM t", linktest.Returns(nil)), h); !errors.Is(err, fault.ErrRejected) {
		t.Errorf("error %v, want a refusal", err)
	}
}

func TestTheTargetsDialectIsAsked(t *testing.T) {
	t.Parallel()
	h := sp.NewChain(linktest.Must(t)(readonly.New())).Then(attach.Perform)
	for system, passes := range map[sp.System]bool{sp.PostgreSQL: true, sp.MySQL: false} {
		call := linktest.Statement(t.Context(), sp.OpQuery, "SELECT 1 /*! INTO OUTFILE 'f' */", linktest.Returns(nil))
		call.Target = &sp.Target{System: system}
		if _, err := attach.Run(t.Context(), call, h); (err == nil) != passes {
			t.Errorf("%s: %v", system, err)
		}
	}
}

func TestTheGuardCanBeSwitched(t *testing.T) {
	t.Parallel()
	var maintenance atomic.Bool
	guard := linktest.Must(t)(readonly.New(readonly.WithIf(func(context.Context) bool { return maintenance.Load() })))
	h := sp.NewChain(guard).Then(attach.Perform)
	enabled := sp.NewChain(guard).Enabled()
	for _, on := range []bool{false, true} {
		maintenance.Store(on)
		_, err := attach.Run(t.Context(), linktest.Statement(t.Context(), sp.OpExec, "DELETE FROM t", linktest.Returns(nil)), h)
		if (err != nil) != on || enabled(t.Context(), sp.OpExec) != on {
			t.Errorf("switched on: %v, error %v", on, err)
		}
	}
	if !sp.NewChain(linktest.Must(t)(readonly.New())).Enabled()(t.Context(), sp.OpExec) {
		t.Error("a guard that is always on says that it is off")
	}
}

func TestPermissionIsAskedOfWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	asked := ""
	h := sp.NewChain(linktest.Must(t)(readonly.New(readonly.WithPermission(func(_ context.Context, call *sp.Call) bool {
		asked += call.Text
		return call.Text == "PRAGMA table_info(t)"
	})))).Then(attach.Perform)
	for text, passes := range map[string]bool{"SELECT 1": true, "PRAGMA table_info(t)": true, "VACUUM": false} {
		asked = ""
		_, err := attach.Run(t.Context(), linktest.Statement(t.Context(), sp.OpQuery, text, linktest.Returns(nil)), h)
		if (err == nil) != passes || (asked != "") != (text != "SELECT 1") {
			t.Errorf("%s: %v, asked about %q", text, err, asked)
		}
	}
}

func TestTheRefusalDoesNotShowTheStatement(t *testing.T) {
	t.Parallel()
	h := sp.NewChain(linktest.Must(t)(readonly.New())).Then(attach.Perform)
	_, err := attach.Run(t.Context(), linktest.Statement(t.Context(), sp.OpExec, "DELETE FROM users WHERE name = 'alice'", nil), h)
	if want := "readonly: exec: refused, since only reading is allowed here and this is not certain to read"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestNewRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]readonly.Option{
		"readonly: WithIf(nil): want a function":         readonly.WithIf(nil),
		"readonly: WithPermission(nil): want a function": readonly.WithPermission(nil),
	} {
		i, err := readonly.New(o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("ReadOnly = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := readonly.New(nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
