package logging_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
)

// logTo returns a Logging that writes to a recorder of the given level.
func logTo(t testing.TB, level slog.Level, opts ...logging.Option) (sp.Interceptor, *linktest.Recorder) {
	r := &linktest.Recorder{Level: level}
	return linktest.Must(t)(logging.New(slog.New(r), opts...)), r
}

func TestTheLevelTellsTheOutcome(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		inUnit := attach.Context(t.Context(), linktest.NewCall(t.Context(), sp.OpTransaction, nil))
		inQuery := attach.Context(t.Context(), linktest.NewCall(t.Context(), sp.OpQuery, nil))
		sleeps := &linktest.Script{Act: func(context.Context, *sp.Call) error { time.Sleep(time.Second); return nil }}
		for _, c := range []struct {
			name    string
			ctx     context.Context
			op      sp.Op
			do      attach.Performer
			level   slog.Level
			message string
		}{
			{"success", t.Context(), sp.OpExec, linktest.Returns(nil), slog.LevelDebug, "database call"},
			{"no rows", t.Context(), sp.OpQuery, linktest.Returns(sql.ErrNoRows), slog.LevelDebug, "database call"},
			{"driver's detour", t.Context(), sp.OpQuery, linktest.Returns(driver.ErrSkip), slog.LevelDebug, "database call"},
			{"slow", t.Context(), sp.OpExec, sleeps, slog.LevelWarn, "database call slow"},
			{"failure", t.Context(), sp.OpExec, linktest.Returns(linktest.ErrUnique), slog.LevelError, "database call failed"},
			{"given up", canceled, sp.OpExec, linktest.Hangs(linktest.CtxErr), slog.LevelWarn, "database call canceled"},
			{"canceled by somebody else", t.Context(), sp.OpExec, linktest.Returns(context.Canceled), slog.LevelError, "database call failed"},
			{"failure in a unit", inUnit, sp.OpExec, linktest.Returns(linktest.ErrUnique), slog.LevelWarn, "database call failed"},
			{"failure of a unit", t.Context(), sp.OpTransaction, linktest.Returns(linktest.ErrUnique), slog.LevelError, "database call failed"},
			{"failure of a step", inQuery, sp.OpConnect, linktest.Returns(linktest.ErrDriver), slog.LevelDebug, "database call failed"},
			{"no I/O", t.Context(), sp.SessionOp("add"), linktest.Returns(linktest.ErrDriver), slog.LevelDebug, "database call failed"},
		} {
			logs, r := logTo(t, slog.LevelDebug, logging.WithSlowThreshold(time.Second))
			_, _ = linktest.Run(c.ctx, c.op, c.do, logs)
			if got := linktest.Lone(t, r); got.Level != c.level || got.Message != c.message {
				t.Errorf("%s: %v %q, want %v %q", c.name, got.Level, got.Message, c.level, c.message)
			}
		}
	})
}

func TestARetriedSuccessIsAWarning(t *testing.T) {
	t.Parallel()
	logs, r := logTo(t, slog.LevelInfo)
	op := &linktest.Script{Act: func(_ context.Context, call *sp.Call) error {
		if call.Attempt() < 3 {
			return linktest.ErrSerialization
		}
		return nil
	}}
	if _, err := linktest.Run(t.Context(), sp.OpExec, op, logs, linktest.Retrying(3)); err != nil {
		t.Fatal(err)
	}
	got := linktest.Lone(t, r)
	if got.Level != slog.LevelWarn || got.Message != "database call retried" || got.Attrs["sessionproxy.attempts"] != int64(3) {
		t.Errorf("record %+v, want a warning with 3 attempts", got)
	}
}

func TestTheRecordsAttributes(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		logs, r := logTo(t, slog.LevelDebug)
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
		ctx := sp.WithCallName(trace.ContextWithSpanContext(t.Context(), sc), "orders.close")
		op := &linktest.Script{Act: func(_ context.Context, call *sp.Call) error {
			time.Sleep(time.Second / 4)
			call.RowsAffected = 3
			return nil
		}}
		call := linktest.NewCall(ctx, sp.OpExec, op)
		call.Target = &sp.Target{System: sp.PostgreSQL, Host: "db", Port: 5433, Namespace: "shop", User: "owner"}
		call.Text = "UPDATE orders SET state = 'closed' WHERE id = 17"
		if _, err := attach.Run(ctx, call, sp.NewChain(logs).Then(attach.Perform)); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"db.system.name": "postgresql", "db.namespace": "shop", "server.address": "db", "server.port": int64(5433),
			"sessionproxy.operation": "orders.close",
			"db.query.summary":       "UPDATE orders", "db.query.text": "UPDATE orders SET state = ? WHERE id = ?",
			"db.client.operation.duration": 0.25, "sessionproxy.rows_affected": int64(3),
			"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String(),
		}
		sameAttrs(t, linktest.Lone(t, r).Attrs, want)
	})
}

func sameAttrs(t *testing.T, got, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s = %v (%[2]T), want %v (%[3]T)", k, got[k], v)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s = %v was not to be there", k, v)
		}
	}
}

func TestWhatTheTextShows(t *testing.T) {
	t.Parallel()
	const plain, parameters = "SELECT name FROM users WHERE id = 17", "SELECT name FROM users WHERE id = $1"
	const operator = "SELECT name FROM users WHERE tags ? 'secret'" // no parameter, but PostgreSQL's operator
	for _, c := range []struct {
		op         sp.Op
		text, want string
		opts       []logging.Option
	}{
		{sp.OpQuery, plain, "SELECT name FROM users WHERE id = ?", nil},
		{sp.OpQuery, parameters, parameters, nil},
		{sp.OpPrepare, parameters, parameters, nil},
		{sp.OpQuery, operator, "SELECT name FROM users WHERE tags ? ?", nil},
		{sp.OpBatch, parameters + "; " + plain, parameters + "; SELECT name FROM users WHERE id = ?", nil},
		{sp.OpQuery, plain, "", linktest.One(logging.WithoutQueryText())},
		{sp.OpQuery, plain, "SELECT", linktest.One(logging.WithQueryTextLimit(6))},
		{sp.OpQuery, `SELECT "né"`, `SELECT "n`, linktest.One(logging.WithQueryTextLimit(10))},
		{sp.OpQuery, plain, "SELECT name FROM users WHERE id = ?", linktest.One(logging.WithQueryTextLimit(0))},
		{sp.OpSavepoint, "SAVEPOINT secret", "", nil},
	} {
		logs, r := logTo(t, slog.LevelDebug, c.opts...)
		for range 2 { // new, and known
			call := linktest.NewCall(t.Context(), c.op, linktest.Returns(nil))
			call.Target, call.Text = &sp.Target{System: sp.PostgreSQL}, c.text
			_, _ = attach.Run(t.Context(), call, sp.NewChain(logs).Then(attach.Perform))
			got, _ := linktest.Lone(t, r).Attrs["db.query.text"].(string)
			if got != c.want {
				t.Errorf("%v %q: text %q, want %q", c.op, c.text, got, c.want)
			}
		}
	}
}

// leaky is an error as databases make them: with values of rows in its text.
type leaky struct{ linktest.PgError }

func (leaky) Error() string { return "Key (email)=(alice@example.com) already exists" }

func TestErrorsAreToldByCodeAndClass(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	handler := slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})
	log := linktest.Must(t)(logging.New(slog.New(handler)))
	op := linktest.Returns(leaky{linktest.ErrUnique})
	_, _ = linktest.Run(t.Context(), sp.OpExec, op, log, linktest.Retrying(2))
	if text := out.String(); strings.Contains(text, "alice") {
		t.Errorf("the log shows a row's value:\n%s", text)
	}
	for line := range strings.Lines(out.String()) {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if got["error.type"] != "23505" || got["sessionproxy.fault.class"] != "integrity" {
			t.Errorf("record %s tells neither code nor class", line)
		}
	}

	logs, r := logTo(t, slog.LevelError, logging.WithErrorMessages())
	_, _ = linktest.Run(t.Context(), sp.OpExec, op, logs)
	got := linktest.Lone(t, r).Attrs
	if got["exception.message"] != op.Act(nil, nil).Error() || got["db.response.status_code"] != "23505" {
		t.Errorf("attributes %v, want the message and the code", got)
	}
}

// oddError is of a type that no table knows.
type oddError struct{}

func (*oddError) Error() string { return "odd" }

func TestErrorType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{linktest.ErrUnique, "23505"},
		{context.DeadlineExceeded, "timeout"},
		{&oddError{}, "*logging_test.oddError"},
		{linktest.ErrDriver, "_OTHER"},
		{&recovery.PanicError{Op: sp.OpExec, Value: 1}, "*recovery.PanicError"},
	} {
		logs, r := logTo(t, slog.LevelError)
		_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(c.err), logs)
		if got := linktest.Lone(t, r).Attrs["error.type"]; got != c.want {
			t.Errorf("%v: error.type %v, want %v", c.err, got, c.want)
		}
	}
}

func TestAPanicIsLoggedWithItsStack(t *testing.T) {
	t.Parallel()
	logs, r := logTo(t, slog.LevelError)
	_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Panics("secret"), logs, linktest.Must(t)(recovery.New()))
	got := linktest.Lone(t, r).Attrs
	if stack, _ := got["exception.stacktrace"].(string); !strings.Contains(stack, "(*Script).Do") {
		t.Errorf("attributes %v, want the stack", got)
	}

	// Nobody recovered: the call is logged all the same.
	func() {
		defer func() { _ = recover() }()
		_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Panics("secret"), logs)
	}()
	if got := linktest.Lone(t, r); got.Attrs["error.type"] != "aborted" || got.Level != slog.LevelError {
		t.Errorf("record %+v, want an aborted call", got)
	}
}

func TestAQueryIsLoggedWhenItsRowsAreClosed(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		logs, r := logTo(t, slog.LevelDebug)
		call := linktest.NewCall(t.Context(), sp.OpQuery, linktest.Opens())
		if _, err := attach.Run(t.Context(), call, sp.NewChain(logs).Then(attach.Perform)); err != nil {
			t.Fatal(err)
		}
		if got := r.Take(); len(got) != 0 {
			t.Errorf("logged before the rows were closed: %v", got)
		}
		time.Sleep(time.Second)
		call.RowsReturned = 7
		attach.Finish(call, nil)
		got := linktest.Lone(t, r).Attrs
		if got["db.response.returned_rows"] != int64(7) || got["db.client.operation.duration"] != 1.0 {
			t.Errorf("attributes %v, want 7 rows in one second", got)
		}
	})
}

func TestBeginIsLoggedWhenTheTransactionHasBegun(t *testing.T) {
	t.Parallel()
	logs, r := logTo(t, slog.LevelDebug)
	call := linktest.NewCall(t.Context(), sp.OpBegin, linktest.Opens())
	if _, err := attach.Run(t.Context(), call, sp.NewChain(logs).Then(attach.Perform)); err != nil {
		t.Fatal(err)
	}
	if got := linktest.Lone(t, r); got.Attrs["db.operation.name"] != "BEGIN" {
		t.Errorf("record %+v, want BEGIN's", got)
	}
	attach.Finish(call, linktest.ErrDriver)
	if got := r.Take(); len(got) != 0 {
		t.Errorf("the end of the transaction was logged as BEGIN's: %v", got)
	}
}

func TestCallsThatNobodyReadsAboutAreLeftAlone(t *testing.T) {
	t.Parallel()
	inQuery := attach.Context(t.Context(), linktest.NewCall(t.Context(), sp.OpQuery, nil))
	for _, c := range []struct {
		name  string
		level slog.Level
		ctx   context.Context
		op    sp.Op
	}{
		{"logging is off", slog.LevelError + 1, t.Context(), sp.OpExec},
		{"no I/O", slog.LevelDebug + 1, t.Context(), sp.SessionOp("add")},
		{"a step", slog.LevelDebug + 1, inQuery, sp.OpConnect},
	} {
		logs, r := logTo(t, c.level)
		call := linktest.NewCall(c.ctx, c.op, linktest.Returns(linktest.ErrDriver))
		h := sp.NewChain(logs).Then(func(ctx context.Context, call *sp.Call) error {
			if call.Observed() {
				t.Errorf("%s: it listens", c.name)
			}
			return attach.Perform(ctx, call)
		})
		_, err := attach.Run(c.ctx, call, h)
		if !errors.Is(err, linktest.ErrDriver) || len(r.Take()) != 0 {
			t.Errorf("%s: error %v, or a record", c.name, err)
		}
	}
}

func TestLevelsCanBeSet(t *testing.T) {
	t.Parallel()
	logs, r := logTo(t, slog.LevelInfo, logging.WithLevels(slog.LevelInfo, slog.LevelInfo, slog.LevelWarn))
	_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), logs)
	if got := linktest.Lone(t, r).Level; got != slog.LevelInfo {
		t.Errorf("success at %v, want info", got)
	}
	_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(linktest.ErrUnique), logs)
	if got := linktest.Lone(t, r).Level; got != slog.LevelWarn {
		t.Errorf("failure at %v, want warn", got)
	}
}

func TestNewRefusesBadValues(t *testing.T) {
	t.Parallel()
	if i, err := logging.New(nil); err == nil || i != nil {
		t.Error("a nil logger was taken")
	}
	for want, o := range map[string]logging.Option{
		"logging: WithLevels(ERROR, WARN, INFO): want ascending levels": logging.WithLevels(slog.LevelError, slog.LevelWarn, slog.LevelInfo),
		"logging: WithSlowThreshold(0s): want more than 0":              logging.WithSlowThreshold(0),
		"logging: WithQueryTextLimit(-1): want 0 or more":               logging.WithQueryTextLimit(-1),
		"logging: WithSampling(0, 5): want 1 or more, and 0 or more":    logging.WithSampling(0, 5),
		"logging: WithSampling(1, -1): want 1 or more, and 0 or more":   logging.WithSampling(1, -1),
	} {
		i, err := logging.New(slog.Default(), o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Logging = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := logging.New(slog.Default(), nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
