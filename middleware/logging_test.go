package middleware_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// recorder is a logger's handler that keeps what it is given.
type recorder struct {
	level slog.Level

	mu      sync.Mutex
	records []slog.Record
}

func (r *recorder) Enabled(_ context.Context, level slog.Level) bool { return level >= r.level }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler               { return r }
func (r *recorder) WithGroup(string) slog.Handler                    { return r }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record.Clone())
	return nil
}

// take returns the records so far as level, message and attributes, and
// forgets them.
func (r *recorder) take() []logged {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []logged
	for _, rec := range r.records {
		l := logged{level: rec.Level, message: rec.Message, attrs: map[string]any{}}
		rec.Attrs(func(a slog.Attr) bool {
			l.attrs[a.Key] = a.Value.Any()
			return true
		})
		out = append(out, l)
	}
	r.records = nil
	return out
}

type logged struct {
	level   slog.Level
	message string
	attrs   map[string]any
}

// logTo returns a Logging that writes to a recorder of the given level.
func logTo(t testing.TB, level slog.Level, opts ...middleware.LoggingOption) (sp.Interceptor, *recorder) {
	r := &recorder{level: level}
	return must(t)(middleware.Logging(slog.New(r), opts...)), r
}

// lone returns the one record there has to be.
func lone(t *testing.T, r *recorder) logged {
	t.Helper()
	got := r.take()
	if len(got) != 1 {
		t.Fatalf("%d records, want one: %v", len(got), got)
	}
	return got[0]
}

func TestTheLevelTellsTheOutcome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		inUnit := sp.ContextWithCall(t.Context(), newCall(t.Context(), sp.OpTransaction, nil))
		inQuery := sp.ContextWithCall(t.Context(), newCall(t.Context(), sp.OpQuery, nil))
		sleeps := &script{do: func(context.Context, *sp.Call) error { time.Sleep(second); return nil }}
		for _, c := range []struct {
			name    string
			ctx     context.Context
			op      sp.Op
			do      sp.Operation
			level   slog.Level
			message string
		}{
			{"success", t.Context(), sp.OpExec, returns(nil), slog.LevelDebug, "database call"},
			{"no rows", t.Context(), sp.OpQuery, returns(sql.ErrNoRows), slog.LevelDebug, "database call"},
			{"driver's detour", t.Context(), sp.OpQuery, returns(driver.ErrSkip), slog.LevelDebug, "database call"},
			{"slow", t.Context(), sp.OpExec, sleeps, slog.LevelWarn, "database call slow"},
			{"failure", t.Context(), sp.OpExec, returns(unique), slog.LevelError, "database call failed"},
			{"given up", canceled, sp.OpExec, hangs(ctxErr), slog.LevelWarn, "database call canceled"},
			{"canceled by somebody else", t.Context(), sp.OpExec, returns(context.Canceled), slog.LevelError, "database call failed"},
			{"failure in a unit", inUnit, sp.OpExec, returns(unique), slog.LevelWarn, "database call failed"},
			{"failure of a unit", t.Context(), sp.OpTransaction, returns(unique), slog.LevelError, "database call failed"},
			{"failure of a step", inQuery, sp.OpConnect, returns(errDriver), slog.LevelDebug, "database call failed"},
			{"no I/O", t.Context(), sp.OpSessionAdd, returns(errDriver), slog.LevelDebug, "database call failed"},
		} {
			logging, r := logTo(t, slog.LevelDebug, middleware.WithSlowThreshold(second))
			_, _ = run(c.ctx, c.op, c.do, logging)
			if got := lone(t, r); got.level != c.level || got.message != c.message {
				t.Errorf("%s: %v %q, want %v %q", c.name, got.level, got.message, c.level, c.message)
			}
		}
	})
}

func TestARetriedSuccessIsAWarning(t *testing.T) {
	t.Parallel()
	logging, r := logTo(t, slog.LevelInfo)
	op := &script{do: func(_ context.Context, call *sp.Call) error {
		if call.Attempt() < 3 {
			return serialization
		}
		return nil
	}}
	if _, err := run(t.Context(), sp.OpExec, op, logging, retrying(3)); err != nil {
		t.Fatal(err)
	}
	got := lone(t, r)
	if got.level != slog.LevelWarn || got.message != "database call retried" || got.attrs["sessionproxy.attempts"] != int64(3) {
		t.Errorf("record %+v, want a warning with 3 attempts", got)
	}
}

func TestTheRecordsAttributes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logging, r := logTo(t, slog.LevelDebug)
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
		ctx := sp.WithOperation(trace.ContextWithSpanContext(t.Context(), sc), "orders.close")
		op := &script{do: func(_ context.Context, call *sp.Call) error {
			time.Sleep(second / 4)
			call.RowsAffected = 3
			return nil
		}}
		call := newCall(ctx, sp.OpExec, op)
		call.Target = &sp.Target{System: sp.PostgreSQL, Host: "db", Port: 5433, Namespace: "shop", User: "owner"}
		call.Text = "UPDATE orders SET state = 'closed' WHERE id = 17"
		if _, err := call.Run(ctx, sp.NewChain(logging).Then(sp.Perform)); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"db.system.name": "postgresql", "db.namespace": "shop", "server.address": "db", "server.port": int64(5433),
			"sessionproxy.operation": "orders.close",
			"db.query.summary":       "UPDATE orders", "db.query.text": "UPDATE orders SET state = ? WHERE id = ?",
			"db.client.operation.duration": 0.25, "sessionproxy.rows_affected": int64(3),
			"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String(),
		}
		sameAttrs(t, lone(t, r).attrs, want)
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
		opts       []middleware.LoggingOption
	}{
		{sp.OpQuery, plain, "SELECT name FROM users WHERE id = ?", nil},
		{sp.OpQuery, parameters, parameters, nil},
		{sp.OpPrepare, parameters, parameters, nil},
		{sp.OpQuery, operator, "SELECT name FROM users WHERE tags ? ?", nil},
		{sp.OpBatch, parameters + "; " + plain, parameters + "; SELECT name FROM users WHERE id = ?", nil},
		{sp.OpQuery, plain, "", one(middleware.WithoutQueryText())},
		{sp.OpQuery, plain, "SELECT", one(middleware.WithQueryTextLimit(6))},
		{sp.OpQuery, `SELECT "né"`, `SELECT "n`, one(middleware.WithQueryTextLimit(10))},
		{sp.OpQuery, plain, "SELECT name FROM users WHERE id = ?", one(middleware.WithQueryTextLimit(0))},
		{sp.OpSavepoint, "SAVEPOINT secret", "", nil},
	} {
		logging, r := logTo(t, slog.LevelDebug, c.opts...)
		for range 2 { // new, and known
			call := newCall(t.Context(), c.op, returns(nil))
			call.Target, call.Text = &sp.Target{System: sp.PostgreSQL}, c.text
			_, _ = call.Run(t.Context(), sp.NewChain(logging).Then(sp.Perform))
			got, _ := lone(t, r).attrs["db.query.text"].(string)
			if got != c.want {
				t.Errorf("%v %q: text %q, want %q", c.op, c.text, got, c.want)
			}
		}
	}
}

// leaky is an error as databases make them: with values of rows in its text.
type leaky struct{ pgError }

func (leaky) Error() string { return "Key (email)=(alice@example.com) already exists" }

func TestErrorsAreToldByCodeAndClass(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	handler := slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})
	logging := must(t)(middleware.Logging(slog.New(handler)))
	op := returns(leaky{unique})
	_, _ = run(t.Context(), sp.OpExec, op, logging, retrying(2))
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

	logging, r := logTo(t, slog.LevelError, middleware.WithErrorMessages())
	_, _ = run(t.Context(), sp.OpExec, op, logging)
	got := lone(t, r).attrs
	if got["exception.message"] != op.do(nil, nil).Error() || got["db.response.status_code"] != "23505" {
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
		{unique, "23505"},
		{context.DeadlineExceeded, "timeout"},
		{&oddError{}, "*middleware_test.oddError"},
		{errDriver, "_OTHER"},
		{&middleware.PanicError{Op: sp.OpExec, Value: 1}, "*middleware.PanicError"},
	} {
		logging, r := logTo(t, slog.LevelError)
		_, _ = run(t.Context(), sp.OpExec, returns(c.err), logging)
		if got := lone(t, r).attrs["error.type"]; got != c.want {
			t.Errorf("%v: error.type %v, want %v", c.err, got, c.want)
		}
	}
}

func TestAPanicIsLoggedWithItsStack(t *testing.T) {
	t.Parallel()
	logging, r := logTo(t, slog.LevelError)
	_, _ = run(t.Context(), sp.OpExec, panics("secret"), logging, must(t)(middleware.Recover()))
	got := lone(t, r).attrs
	if stack, _ := got["exception.stacktrace"].(string); !strings.Contains(stack, "recover_test.go") {
		t.Errorf("attributes %v, want the stack", got)
	}

	// Nobody recovered: the call is logged all the same.
	func() {
		defer func() { _ = recover() }()
		_, _ = run(t.Context(), sp.OpExec, panics("secret"), logging)
	}()
	if got := lone(t, r); got.attrs["error.type"] != "aborted" || got.level != slog.LevelError {
		t.Errorf("record %+v, want an aborted call", got)
	}
}

func TestAQueryIsLoggedWhenItsRowsAreClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logging, r := logTo(t, slog.LevelDebug)
		call := newCall(t.Context(), sp.OpQuery, opens())
		if _, err := call.Run(t.Context(), sp.NewChain(logging).Then(sp.Perform)); err != nil {
			t.Fatal(err)
		}
		if got := r.take(); len(got) != 0 {
			t.Errorf("logged before the rows were closed: %v", got)
		}
		time.Sleep(second)
		call.RowsReturned = 7
		call.Finish(nil)
		got := lone(t, r).attrs
		if got["db.response.returned_rows"] != int64(7) || got["db.client.operation.duration"] != 1.0 {
			t.Errorf("attributes %v, want 7 rows in one second", got)
		}
	})
}

func TestBeginIsLoggedWhenTheTransactionHasBegun(t *testing.T) {
	t.Parallel()
	logging, r := logTo(t, slog.LevelDebug)
	call := newCall(t.Context(), sp.OpBegin, opens())
	if _, err := call.Run(t.Context(), sp.NewChain(logging).Then(sp.Perform)); err != nil {
		t.Fatal(err)
	}
	if got := lone(t, r); got.attrs["db.operation.name"] != "BEGIN" {
		t.Errorf("record %+v, want BEGIN's", got)
	}
	call.Finish(errDriver)
	if got := r.take(); len(got) != 0 {
		t.Errorf("the end of the transaction was logged as BEGIN's: %v", got)
	}
}

func TestCallsThatNobodyReadsAboutAreLeftAlone(t *testing.T) {
	t.Parallel()
	inQuery := sp.ContextWithCall(t.Context(), newCall(t.Context(), sp.OpQuery, nil))
	for _, c := range []struct {
		name  string
		level slog.Level
		ctx   context.Context
		op    sp.Op
	}{
		{"logging is off", slog.LevelError + 1, t.Context(), sp.OpExec},
		{"no I/O", slog.LevelDebug + 1, t.Context(), sp.OpSessionAdd},
		{"a step", slog.LevelDebug + 1, inQuery, sp.OpConnect},
	} {
		logging, r := logTo(t, c.level)
		call := newCall(c.ctx, c.op, returns(errDriver))
		h := sp.NewChain(logging).Then(func(ctx context.Context, call *sp.Call) error {
			if call.Observed() {
				t.Errorf("%s: it listens", c.name)
			}
			return sp.Perform(ctx, call)
		})
		_, err := call.Run(c.ctx, h)
		if !errors.Is(err, errDriver) || len(r.take()) != 0 {
			t.Errorf("%s: error %v, or a record", c.name, err)
		}
	}
}

func TestLevelsCanBeSet(t *testing.T) {
	t.Parallel()
	logging, r := logTo(t, slog.LevelInfo, middleware.WithLevels(slog.LevelInfo, slog.LevelInfo, slog.LevelWarn))
	_, _ = run(t.Context(), sp.OpExec, returns(nil), logging)
	if got := lone(t, r).level; got != slog.LevelInfo {
		t.Errorf("success at %v, want info", got)
	}
	_, _ = run(t.Context(), sp.OpExec, returns(unique), logging)
	if got := lone(t, r).level; got != slog.LevelWarn {
		t.Errorf("failure at %v, want warn", got)
	}
}

func TestLoggingRefusesBadValues(t *testing.T) {
	t.Parallel()
	if i, err := middleware.Logging(nil); err == nil || i != nil {
		t.Error("a nil logger was taken")
	}
	for want, o := range map[string]middleware.LoggingOption{
		"middleware: WithLevels(ERROR, WARN, INFO): want ascending levels": middleware.WithLevels(slog.LevelError, slog.LevelWarn, slog.LevelInfo),
		"middleware: WithSlowThreshold(0s): want more than 0":              middleware.WithSlowThreshold(0),
		"middleware: WithQueryTextLimit(-1): want 0 or more":               middleware.WithQueryTextLimit(-1),
		"middleware: WithSampling(0, 5): want 1 or more, and 0 or more":    middleware.WithSampling(0, 5),
		"middleware: WithSampling(1, -1): want 1 or more, and 0 or more":   middleware.WithSampling(1, -1),
	} {
		i, err := middleware.Logging(slog.Default(), o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Logging = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := middleware.Logging(slog.Default(), nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
