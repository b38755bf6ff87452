package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// slowTo returns a SlowQuery of a second that writes to a recorder.
func slowTo(t testing.TB, opts ...middleware.SlowQueryOption) (sp.Interceptor, *recorder) {
	r := &recorder{level: slog.LevelInfo}
	return must(t)(middleware.SlowQuery(slog.New(r), time.Second, opts...)), r
}

// takes returns an operation that takes so long.
func takes(d time.Duration) *script {
	return &script{do: func(context.Context, *sp.Call) error {
		time.Sleep(d)
		return nil
	}}
}

func TestSlowStatementsAreWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, log := slowTo(t)
		h := sp.NewChain(slow).Then(sp.Perform)
		query := func(op sp.Op, text string, d time.Duration) []sp.Event {
			var events []sp.Event
			call := statement(t.Context(), op, text, takes(d))
			call.OnEvent(func(e sp.Event) { events = append(events, e) })
			if _, err := call.Run(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			return events
		}
		if e := query(sp.OpQuery, "SELECT 1", 999*time.Millisecond); len(e) != 0 || len(log.take()) != 0 {
			t.Error("what is fast enough was written")
		}
		events := query(sp.OpQuery, "SELECT a FROM t WHERE b = 'secret'", 1500*time.Millisecond)
		if e, ok := eventOf(events, middleware.EventSlow); !ok || e.Delay != 1500*time.Millisecond {
			t.Errorf("events %v", events)
		}
		got := lone(t, log)
		if got.level != slog.LevelWarn || got.attrs["db.client.operation.duration"] != 1.5 || got.attrs["db.query.summary"] != "SELECT t" ||
			strings.Contains(fmt.Sprint(got.attrs), "secret") {
			t.Errorf("%+v", got)
		}
		for range 3 {
			query(sp.OpQuery, "SELECT a FROM t WHERE b = 'secret'", 2*time.Second)
		}
		query(sp.OpExec, "UPDATE t SET a = 1", 2*time.Second)
		if got := log.take(); len(got) != 1 || got[0].attrs["db.query.summary"] != "UPDATE t" {
			t.Errorf("in the same minute: %v", got)
		}
		time.Sleep(time.Minute)
		query(sp.OpQuery, "SELECT a FROM t WHERE b = 'secret'", 2*time.Second)
		if got := lone(t, log); got.attrs["sessionproxy.suppressed"] != int64(3) {
			t.Errorf("%+v", got)
		}
		if query(sp.OpBegin, "", 2*time.Second); len(log.take()) != 0 {
			t.Error("what is no statement was written")
		}
	})
}

func TestRowsCountUntilTheyAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, log := slowTo(t, middleware.WithSlowEvery(0))
		call := statement(t.Context(), sp.OpQuery, "SELECT 1", opens())
		if open, err := call.Run(t.Context(), sp.NewChain(slow).Then(sp.Perform)); !open || err != nil {
			t.Fatal(open, err)
		}
		time.Sleep(3 * time.Second)
		if len(log.take()) != 0 {
			t.Error("it was written before the end")
		}
		call.Finish(nil)
		if got := lone(t, log); got.attrs["db.client.operation.duration"] != 3.0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestPlansAreAskedForReadsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		failing := false
		slow, log := slowTo(t, middleware.WithSlowEvery(0), middleware.WithExplain(func(ctx context.Context, text string, _ sp.Args) (string, error) {
			asked = append(asked, text)
			if sp.CallFrom(ctx) != nil {
				t.Error("the plan is asked for as a part of the call")
			}
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the plan may take for ever")
			}
			if failing {
				return "", errors.New("value 'secret'")
			}
			return "Seq Scan on t", nil
		}))
		h := sp.NewChain(slow).Then(sp.Perform)
		run := func(op sp.Op, text string, inTx bool) logged {
			call := statement(t.Context(), op, text, takes(2*time.Second))
			call.InTx = inTx
			if _, err := call.Run(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			return lone(t, log)
		}
		if got := run(sp.OpQuery, "SELECT 1", false); got.attrs["sessionproxy.plan"] != "Seq Scan on t" {
			t.Errorf("%+v", got)
		}
		run(sp.OpQuery, "SELECT 2", true)
		run(sp.OpExec, "DELETE FROM t", false)
		run(sp.OpQuery, "SELECT a FROM t FOR UPDATE", false)
		run(sp.OpBatch, "SELECT 3", false)
		failing = true
		if got := run(sp.OpQuery, "SELECT 4", false); strings.Contains(fmt.Sprint(got.attrs), "secret") {
			t.Errorf("%+v", got)
		}
		if len(asked) != 2 {
			t.Errorf("asked for %q", asked)
		}
	})
}

func TestSlowQueryRefusesBadOptions(t *testing.T) {
	t.Parallel()
	log := slog.New(&recorder{})
	for name, made := range map[string]func() (sp.Interceptor, error){
		"logger":    func() (sp.Interceptor, error) { return middleware.SlowQuery(nil, 1) },
		"threshold": func() (sp.Interceptor, error) { return middleware.SlowQuery(log, 0) },
		"every":     func() (sp.Interceptor, error) { return middleware.SlowQuery(log, 1, middleware.WithSlowEvery(-1)) },
		"postgres": func() (sp.Interceptor, error) {
			return middleware.SlowQuery(log, 1, middleware.WithPostgresExplain(nil))
		},
		"explain": func() (sp.Interceptor, error) { return middleware.SlowQuery(log, 1, middleware.WithExplain(nil)) },
	} {
		if _, err := made(); err == nil || !strings.Contains(err.Error(), "SlowQuery") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ExampleSlowQuery() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "db.client.operation.duration" {
			return slog.Attr{} // differs each time
		}
		return a
	}}))
	slow, err := middleware.SlowQuery(logger, time.Nanosecond)
	if err != nil {
		fmt.Println(err)
		return
	}
	var call sp.Call
	call.Reset(&script{})
	call.Op, call.Text = sp.OpQuery, "SELECT name FROM users WHERE id = 7"
	_, err = call.Run(context.Background(), sp.NewChain(slow).Then(sp.Perform))
	fmt.Println(err)
	// Output:
	// level=WARN msg="slow database statement" db.system.name=other_sql db.query.summary="SELECT users" db.query.text="SELECT name FROM users WHERE id = ?"
	// <nil>
}
