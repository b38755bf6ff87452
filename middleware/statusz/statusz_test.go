package statusz_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

// script is an operation that does what the test says, and judges its error as
// an attachment does.
type script func(ctx context.Context, call *sp.Call) error

func (s script) Do(ctx context.Context, call *sp.Call) error {
	err := s(ctx, call)
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	}
	return err
}

func returns(err error) script { return func(context.Context, *sp.Call) error { return err } }

// opens leaves a result open.
func opens(_ context.Context, call *sp.Call) error {
	attach.KeepOpen(call)
	return nil
}

var orders = &sp.Target{System: sp.PostgreSQL, Host: "db1", Port: 5432, Namespace: "orders", User: "secret_role"}

// pgError has the shape by which fault knows PostgreSQL's errors.
type pgError string

func (e pgError) Error() string    { return "ERROR: value 'hunter2' (SQLSTATE " + string(e) + ")" }
func (e pgError) SQLState() string { return string(e) }

const (
	unique        = pgError("23505")
	serialization = pgError("40001")
)

var errDriver = errors.New("driver failed over 'hunter2'")

func newPage(t testing.TB, opts ...statusz.Option) *statusz.Page {
	t.Helper()
	p, err := statusz.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newCall returns a call of the test's database.
func newCall(do script, op sp.Op, text string) *sp.Call {
	c := new(sp.Call)
	attach.Reset(c, do)
	c.Op, c.Text, c.Target = op, text, orders
	return c
}

// run passes a call through the interceptors to its end.
func run(t *testing.T, do script, op sp.Op, text string, links ...sp.Interceptor) {
	t.Helper()
	c := newCall(do, op, text)
	attach.Bind(t.Context(), c)
	_, _ = attach.Run(t.Context(), c, sp.NewChain(links...).Then(attach.Perform))
}

// get asks for the page, with headers given as names and values.
func get(p *statusz.Page, method, url string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// shown is the JSON document, as far as tests read it.
type shown struct {
	Title      string `json:"title"`
	Statements struct {
		Calls    int `json:"calls"`
		Failed   int `json:"failed"`
		Canceled int `json:"canceled"`
	} `json:"statements"`
	Traffic []struct {
		Calls  int `json:"calls"`
		Failed int `json:"failed"`
	} `json:"traffic"`
	InFlight int            `json:"in_flight"`
	Calls    []shownCall    `json:"calls"`
	Failures []shownTrouble `json:"failures"`
	Slow     []shownTrouble `json:"slow"`
	Breakers []struct {
		Target     string  `json:"target"`
		State      string  `json:"state"`
		For        float64 `json:"state_seconds"`
		RetryAfter float64 `json:"retry_after_seconds"`
		Cause      string  `json:"cause"`
		Failures   int     `json:"failures"`
	} `json:"breakers"`
	Changes []struct {
		State  string `json:"state"`
		Target string `json:"target"`
	} `json:"breaker_changes"`
	Pools    []map[string]any `json:"pools"`
	Limits   []map[string]any `json:"limits"`
	Adaptive []map[string]any `json:"adaptive_limits"`
	Budgets  []struct {
		Target    string `json:"target"`
		Remaining int    `json:"remaining"`
		Capacity  int    `json:"capacity"`
	} `json:"retry_budgets"`
	Latencies []shownLatency `json:"latencies"`
	Overall   shownLatency   `json:"overall"`
	Events    []struct {
		Kind   string  `json:"kind"`
		Detail string  `json:"detail"`
		Count  int     `json:"count"`
		Mean   float64 `json:"mean_delay_seconds"`
		Max    float64 `json:"max_delay_seconds"`
	} `json:"events"`
}

type shownCall struct {
	Age     float64 `json:"age_seconds"`
	Stage   string  `json:"stage"`
	InStage float64 `json:"stage_seconds"`
	Summary string  `json:"summary"`
	Text    string  `json:"text"`
	Name    string  `json:"name"`
	Target  string  `json:"target"`
	Attempt int     `json:"attempt"`
	Nested  bool    `json:"in_transaction"`
	Depth   int     `json:"depth"`
}

type shownTrouble struct {
	Summary  string  `json:"summary"`
	Text     string  `json:"text"`
	Name     string  `json:"name"`
	Error    string  `json:"error_type"`
	Class    string  `json:"fault_class"`
	Count    int     `json:"count"`
	Took     float64 `json:"duration_seconds"`
	Longest  float64 `json:"longest_seconds"`
	Attempts int     `json:"attempts"`
	Paused   float64 `json:"paused_seconds"`
	Queued   float64 `json:"queued_seconds"`
	Trace    string  `json:"trace_id"`
}

type shownLatency struct {
	Summary string  `json:"summary"`
	Target  string  `json:"target"`
	Count   int     `json:"count"`
	Failed  int     `json:"failed"`
	P50     float64 `json:"p50_seconds"`
	P99     float64 `json:"p99_seconds"`
	Max     float64 `json:"max_seconds"`
}

// look returns what the page shows now.
func look(t *testing.T, p *statusz.Page) (s shown) {
	t.Helper()
	p.Forget()
	return lookAgain(t, p)
}

// lookAgain returns what the page answers, which may be a moment old.
func lookAgain(t *testing.T, p *statusz.Page) (s shown) {
	t.Helper()
	w := get(p, http.MethodGet, "/?format=json")
	if w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	if err := json.NewDecoder(w.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// latencyOf returns the row of a summary.
func (s *shown) latencyOf(t *testing.T, summary string) shownLatency {
	t.Helper()
	for _, l := range s.Latencies {
		if l.Summary == summary {
			return l
		}
	}
	t.Fatalf("no latency of %q: %+v", summary, s.Latencies)
	return shownLatency{}
}
