package tracing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

const overdueMetric = "sessionproxy.result.overdue"

// leaky is a handle that watches its results for a minute.
type leaky struct {
	r   *recorder
	m   *meter
	log *lines
	tr  *tracing.Tracing
}

// lines is what was logged.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

// take returns what was logged since the last time.
func (l *lines) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text
	l.text = nil
	return text
}

func newLeaky(t testing.TB) *leaky {
	t.Helper()
	l := &leaky{r: &recorder{}, m: &meter{}, log: &lines{}}
	logger := slog.New(slog.NewJSONHandler(l.log, nil))
	l.tr = newTracing(t, l.r, tracing.WithMeterProvider(l.m), tracing.WithLeakDetection(time.Minute, logger))
	return l
}

// open runs a call and leaves its result open.
func (l *leaky) open(t testing.TB, c *sp.Call, more ...sp.Interceptor) *sp.Call {
	t.Helper()
	doing(c, func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	if open, err := run(t.Context(), c, append([]sp.Interceptor{l.tr}, more...)...); !open || err != nil {
		t.Fatalf("open %v, err %v", open, err)
	}
	return c
}

// records returns what was logged since the last time.
func (l *leaky) records(t testing.TB) (out []map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(l.log.take()))
	for {
		var r map[string]any
		if err := d.Decode(&r); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
}

// overdue returns the number of overdue results that the metric tells.
func (l *leaky) overdue() (n float64) {
	for _, v := range l.m.all(overdueMetric) {
		n += v.value
	}
	return n
}

func TestResultThatStaysOpenIsReportedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeaky(t)
		c := l.open(t, call(sp.OpQuery, "SELECT a FROM t WHERE b = 's3cr3t'"))
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if log := l.log.take(); len(log) != 0 || l.overdue() != 0 {
			t.Fatalf("reported too early: %s", log)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		s, records := only(t, l.r), l.records(t)
		if len(records) != 1 || l.overdue() != 1 || l.m.units[overdueMetric] != "{result}" {
			t.Fatalf("records %v, metric %v", records, l.overdue())
		}
		for key, want := range map[string]any{
			"level": "WARN", "event.name": "result.overdue", "db.system.name": "postgresql", "db.query.summary": "SELECT t",
			"sessionproxy.result.age": 60.0, "trace_id": s.context.TraceID().String(), "span_id": s.context.SpanID().String(),
		} {
			if records[0][key] != want {
				t.Errorf("%s is %v, want %v", key, records[0][key], want)
			}
		}
		opened, _ := records[0]["code.stacktrace"].(string)
		if !strings.HasPrefix(opened, "github.com/sessionproxy/sessionproxy/tracing_test.") || !strings.Contains(opened, "leaks_test.go:") {
			t.Errorf("the stack is\n%s", opened)
		}
		if len(s.events) != 1 || s.events[0].name != "result.overdue" || lookup(s.events[0].attributes, "sessionproxy.result.age") != "60" {
			t.Errorf("events %v", s.events)
		}

		attach.Finish(c, nil)
		records = l.records(t)
		if len(records) != 1 || records[0]["level"] != "INFO" || l.overdue() != 0 {
			t.Errorf("after it was closed: records %v, metric %v", records, l.overdue())
		}
		if v := l.m.all(overdueMetric); v[0].attributes != v[1].attributes {
			t.Errorf("counted with %v, discounted with %v", v[0].attributes, v[1].attributes)
		}
	})
}

func TestResultsAreReportedEachInItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeaky(t)
		first := l.open(t, call(sp.OpBegin, ""))
		time.Sleep(20 * time.Second)
		second := l.open(t, call(sp.OpQuery, "SELECT a FROM second"))
		third := l.open(t, call(sp.OpBatch, ""))
		time.Sleep(20 * time.Second)
		fourth := l.open(t, call(sp.OpAcquire, ""))
		attach.Finish(second, nil)
		for _, want := range []string{"", "BEGIN", "BATCH", "acquire", ""} {
			got := ""
			for _, r := range l.records(t) {
				got += r["db.operation.name"].(string)
			}
			if got != want {
				t.Errorf("%q is reported, want %q", got, want)
			}
			time.Sleep(20 * time.Second)
			synctest.Wait()
		}
		for _, c := range []*sp.Call{third, first, fourth} {
			attach.Finish(c, nil)
		}
		if records := l.records(t); len(records) != 3 || l.overdue() != 0 {
			t.Errorf("records %v, metric %v", records, l.overdue())
		}
		time.Sleep(time.Hour) // the timer stands still
		last := l.open(t, call(sp.OpQuery, "SELECT a FROM last"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if records := l.records(t); len(records) != 1 || records[0]["db.query.summary"] != "SELECT last" {
			t.Errorf("records %v", records)
		}
		attach.Finish(last, nil)
	})
}

func TestNothingIsReportedOfWhatNobodyHasToClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeaky(t)
		unit := call(sp.OpTransaction, "")
		begin := call(sp.OpBegin, "")
		begin.Parent = unit
		query := call(sp.OpQuery, "SELECT 1")
		acquire := call(sp.OpAcquire, "")
		acquire.Parent = query
		for _, c := range []*sp.Call{begin, acquire} {
			defer attach.Finish(l.open(t, c), nil)
		}
		for _, c := range []*sp.Call{query, failing(call(sp.OpQuery, "SELECT a FROM t"), stateError("40001")), call(sp.OpExec, "DELETE FROM t")} {
			_, _ = run(t.Context(), c, l.tr)
		}
		for range 3 {
			attach.Finish(l.open(t, call(sp.OpQuery, "SELECT a FROM t")), nil)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if log := l.log.take(); len(log) != 0 || l.overdue() != 0 {
			t.Errorf("reported: %s", log)
		}
	})
}

func TestLeaksAreFoundWithoutSpansAndMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lines
		tr, err := tracing.New(tracing.WithoutSpans(), tracing.WithLeakDetection(time.Second, slog.New(slog.NewTextHandler(&log, nil))))
		if err != nil {
			t.Fatal(err)
		}
		if !tr.Enabled(t.Context(), sp.OpQuery) || tr.Enabled(t.Context(), sp.OpExec) {
			t.Error("want queries to pass through the chain, and nothing else")
		}
		l := &leaky{r: &recorder{}, tr: tr}
		c := l.open(t, call(sp.OpQuery, "SELECT a FROM t"), rewriting("SELECT a FROM t /* 1 */"))
		time.Sleep(time.Second)
		synctest.Wait()
		got := string(log.take())
		if !strings.Contains(got, `db.query.summary="SELECT t"`) || strings.Contains(got, "trace_id") {
			t.Errorf("logged %q", got)
		}
		attach.Finish(c, nil)
	})
}

// rewriting is an interceptor that changes the text of statements.
func rewriting(text string) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.Text = text
			return next(ctx, call)
		}
	})
}

func TestManyResultsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const workers, rounds = 8, 100
		l := newLeaky(t)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range rounds {
					a := l.open(t, call(sp.OpQuery, "SELECT a FROM t"))
					time.Sleep(time.Duration(w*i) * 100 * time.Millisecond)
					b := l.open(t, call(sp.OpQuery, "SELECT b FROM t"))
					attach.Finish(a, nil)
					time.Sleep(time.Duration(i)*time.Second + 1)
					attach.Finish(b, nil)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		opened, closed := 0, 0
		for _, r := range l.records(t) {
			if r["level"] == "WARN" {
				opened++
			} else {
				closed++
			}
		}
		// Overdue are the second ones from round 60 on, and of the first ones those with w*i >= 600.
		want := workers*(rounds-60) + (rounds - 600/7 - 1)
		if opened != want || closed != want || l.overdue() != 0 {
			t.Errorf("%d were overdue, %d were closed after that, want %d; the metric says %v", opened, closed, want, l.overdue())
		}
	})
}

func TestLeakDetectionWantsAThresholdAndALogger(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	for want, opt := range map[string]tracing.Option{
		"WithLeakDetection: 0s":           tracing.WithLeakDetection(0, logger),
		"WithLeakDetection: -1s":          tracing.WithLeakDetection(-time.Second, logger),
		"WithLeakDetection(1s): the logg": tracing.WithLeakDetection(time.Second, nil),
	} {
		if _, err := tracing.New(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	_, err := tracing.New(tracing.WithMeterProvider(&meter{fail: overdueMetric}), tracing.WithLeakDetection(time.Second, logger))
	if err == nil || !strings.Contains(err.Error(), "instrument") {
		t.Errorf("error %v of a provider that refuses", err)
	}
}

// lasting is an operation that fails now and then and leaves a result open.
type lasting struct{ random *rand.Rand }

func (l *lasting) Do(_ context.Context, c *sp.Call) error {
	switch l.random.IntN(4) {
	case 0:
		return stateError("40001")
	case 1:
		panic("s3cr3t")
	default:
		attach.KeepOpen(c)
		return nil
	}
}

// TestNoWatchIsLeft runs calls through chains in any order, with failures,
// repetitions, concurrent attempts and panics, and closes what they open: then
// nothing is watched any more.
func TestNoWatchIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeaky(t)
		random := rand.New(rand.NewPCG(1, 2))
		links := []sp.Interceptor{l.tr, l.tr, retrying(3), rewriting("SELECT 2")}
		ops := []sp.Op{sp.OpQuery, sp.OpBatch, sp.OpBegin, sp.OpAcquire, sp.OpExec}
		opened := 0
		for range 2000 {
			random.Shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
			c := call(ops[random.IntN(len(ops))], "SELECT 1")
			target, op := c.Target, c.Op
			attach.Reset(c, &lasting{random})
			c.Target, c.Op, c.Text = target, op, "SELECT 1"
			func() {
				defer func() { _ = recover() }()
				if open, _ := run(t.Context(), c, links...); open {
					opened++
					attach.Finish(c, nil)
				}
			}()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if log := l.log.take(); len(log) != 0 || l.overdue() != 0 || opened < 500 {
			t.Errorf("%d results were opened and closed, and reported is\n%.2000s", opened, log)
		}
		for _, s := range l.r.all() {
			if s.ends != 1 {
				t.Fatalf("a span ended %d times:\n%s", s.ends, s.dump())
			}
		}
	})
}

func TestResultOfAConcurrentAttemptIsWatchedToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeaky(t)
		c := new(sp.Call)
		attach.Reset(c, &forking{operation{do: func(_ context.Context, c *sp.Call) error {
			attach.KeepOpen(c)
			return nil
		}}})
		c.Op, c.Text, c.Target = sp.OpQuery, "SELECT a FROM t", orders
		inner := newTracing(t, &recorder{}, tracing.WithMeterProvider(l.m), tracing.WithLeakDetection(time.Minute, slog.New(slog.NewJSONHandler(l.log, nil))))
		if open, err := run(t.Context(), c, l.tr, sp.InterceptorFunc(hedging), inner); !open || err != nil {
			t.Fatal(open, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if records := l.records(t); len(records) != 2 || l.overdue() != 2 {
			t.Errorf("want a report by each of the two, got %v", records)
		}
		attach.Finish(c, nil)
		if records := l.records(t); len(records) != 2 || l.overdue() != 0 {
			t.Errorf("after it was closed: %v", records)
		}
	})
}
