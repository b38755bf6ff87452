package slowquery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
)

// slowTo returns an interceptor with a threshold of a second that writes to a recorder.
func slowTo(t testing.TB, opts ...slowquery.Option) (sp.Interceptor, *linktest.Recorder) {
	r := &linktest.Recorder{Level: slog.LevelInfo}
	return linktest.Must(t)(slowquery.New(slog.New(r), time.Second, opts...)), r
}

// takes returns an operation that takes so long.
func takes(d time.Duration) *linktest.Script {
	return &linktest.Script{Act: func(context.Context, *sp.Call) error {
		time.Sleep(d)
		return nil
	}}
}

func TestSlowStatementsAreWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, log := slowTo(t)
		h := sp.NewChain(slow).Then(attach.Perform)
		query := func(op sp.Op, text string, d time.Duration) []sp.Event {
			var events []sp.Event
			call := linktest.Statement(t.Context(), op, text, takes(d))
			call.OnEvent(func(e sp.Event) { events = append(events, e) })
			if _, err := attach.Run(t.Context(), call, h); err != nil {
				t.Fatal(err)
			}
			return events
		}
		if e := query(sp.OpQuery, "SELECT 1", 999*time.Millisecond); len(e) != 0 || len(log.Take()) != 0 {
			t.Error("what is fast enough was written")
		}
		events := query(sp.OpQuery, "SELECT a FROM t WHERE b = 'secret'", 1500*time.Millisecond)
		if e, ok := linktest.EventOf(events, slowquery.Event); !ok || e.Delay != 1500*time.Millisecond {
			t.Errorf("events %v", events)
		}
		got := linktest.Lone(t, log)
		if got.Level != slog.LevelWarn || got.Attrs["db.client.operation.duration"] != 1.5 || got.Attrs["db.query.summary"] != "SELECT t" ||
			strings.Contains(fmt.Sprint(got.Attrs), "secret") {
			t.Errorf("%+v", got)
		}
		for range 3 {
			query(sp.OpQuery, "SELECT a FROM t WHERE b = 'secret'", 2*time.Second)
		}
		query(sp.OpExec, "UPDATE t SET a = 1", 2*time.Second)
		if got := log.Take(); len(got) != 1 || got[0].Attrs["db.query.summary"] != "UPDATE t" {
			t.Errorf("in the same minute: %v", got)
		}
		time.Sleep(time.Minute)
		query(sp.OpQuery, "SELECT a FROM t WHERE b = 'secret'", 2*time.Second)
		if got := linktest.Lone(t, log); got.Attrs["sessionproxy.suppressed"] != int64(3) {
			t.Errorf("%+v", got)
		}
		if query(sp.OpBegin, "", 2*time.Second); len(log.Take()) != 0 {
			t.Error("what is no statement was written")
		}
	})
}

func TestRowsCountUntilTheyAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, log := slowTo(t, slowquery.WithInterval(0))
		call := linktest.Statement(t.Context(), sp.OpQuery, "SELECT 1", linktest.Opens())
		if open, err := attach.Run(t.Context(), call, sp.NewChain(slow).Then(attach.Perform)); !open || err != nil {
			t.Fatal(open, err)
		}
		time.Sleep(3 * time.Second)
		if len(log.Take()) != 0 {
			t.Error("it was written before the end")
		}
		attach.Finish(call, nil)
		if got := linktest.Lone(t, log); got.Attrs["db.client.operation.duration"] != 3.0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestPlansAreAskedForReadsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		failing := false
		slow, log := slowTo(t, slowquery.WithInterval(0), slowquery.WithExplain(func(ctx context.Context, text string, _ sp.Args) (string, error) {
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
		h := sp.NewChain(slow).Then(attach.Perform)
		run := func(op sp.Op, text string, inTx bool) linktest.Logged {
			call := linktest.Statement(t.Context(), op, text, takes(2*time.Second))
			call.InTx = inTx
			if _, err := attach.Run(t.Context(), call, h); err != nil {
				t.Fatal(err)
			}
			return linktest.Lone(t, log)
		}
		if got := run(sp.OpQuery, "SELECT 1", false); got.Attrs["sessionproxy.plan"] != "Seq Scan on t" {
			t.Errorf("%+v", got)
		}
		run(sp.OpQuery, "SELECT 2", true)
		run(sp.OpExec, "DELETE FROM t", false)
		run(sp.OpQuery, "SELECT a FROM t FOR UPDATE", false)
		run(sp.OpBatch, "SELECT 3", false)
		failing = true
		if got := run(sp.OpQuery, "SELECT 4", false); strings.Contains(fmt.Sprint(got.Attrs), "secret") {
			t.Errorf("%+v", got)
		}
		if len(asked) != 2 {
			t.Errorf("asked for %q", asked)
		}
	})
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	log := slog.New(&linktest.Recorder{})
	for name, made := range map[string]func() (sp.Interceptor, error){
		"logger":    func() (sp.Interceptor, error) { return slowquery.New(nil, 1) },
		"threshold": func() (sp.Interceptor, error) { return slowquery.New(log, 0) },
		"interval":  func() (sp.Interceptor, error) { return slowquery.New(log, 1, slowquery.WithInterval(-1)) },
		"postgres": func() (sp.Interceptor, error) {
			return slowquery.New(log, 1, slowquery.WithPostgresExplain(nil))
		},
		"explain": func() (sp.Interceptor, error) { return slowquery.New(log, 1, slowquery.WithExplain(nil)) },
	} {
		if _, err := made(); err == nil || !strings.HasPrefix(err.Error(), "slowquery: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
