package preset_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/preset"
	"github.com/sessionproxy/sessionproxy/retry"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql's driver of PostgreSQL
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

func newPreset(t *testing.T, opts ...preset.Option) *preset.Preset {
	t.Helper()
	p, err := preset.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// fails is an operation that always ends with err.
type fails struct {
	err        error
	idempotent bool
	attempts   int
}

func (f *fails) Do(context.Context, *sp.Call) error {
	f.attempts++
	return f.err
}

func (f *fails) run(t *testing.T, chain sp.Chain) (events []string) {
	t.Helper()
	call := new(sp.Call)
	attach.Reset(call, f)
	call.Op, call.Scope, call.Target = sp.OpExec, sp.ScopePool, &sp.Target{System: sp.PostgreSQL, Host: "db"}
	call.Marks.Idempotent = f.idempotent
	call.OnEvent(func(e sp.Event) { events = append(events, string(e.Kind)) })
	if _, err := attach.Run(t.Context(), call, chain.Then(attach.Perform)); err == nil {
		t.Error("no error")
	}
	return events
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// TestTheDefaultRetriesBreaksAndShows fails until the circuit is open, and looks
// at the page.
func TestTheDefaultRetriesBreaksAndShows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPreset(t)
		f := &fails{err: errRefused}
		if events := f.run(t, p.Chain()); f.attempts != 3 || strings.Join(events, " ") != "retry retry retry.exhausted" {
			t.Errorf("%d attempts, %v", f.attempts, events)
		}
		for f.attempts < 10 {
			f.run(t, p.Chain())
		}
		for s := range p.Breaker().States() {
			if s.State != breaker.StateOpen {
				t.Errorf("after %d failures the circuit is %v", f.attempts, s.State)
			}
		}
		page := httptest.NewRecorder()
		p.Page().ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		if body := page.Body.String(); !strings.Contains(body, "postgresql://db") || !strings.Contains(body, "open") {
			t.Error("the page does not show the circuit")
		}
		if p.Limiter() != nil || p.AdaptiveLimiter() != nil || p.Budget() == nil || p.Throttler() == nil {
			t.Errorf("limiters %v and %v, budget %v, throttle %v", p.Limiter(), p.AdaptiveLimiter(), p.Budget(), p.Throttler())
		}
	})
}

// TestTheOrderIsTheRecommendedOne puts every interceptor into the chain and
// reads from what happens in which order they stand.
func TestTheOrderIsTheRecommendedOne(t *testing.T) {
	t.Parallel()
	var own []string
	mine := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			own = append(own, "mine")
			return next(ctx, call)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		logger := slog.New(slog.DiscardHandler)
		p := newPreset(t, preset.WithInterceptors(mine), preset.WithLogging(logger), preset.WithSlowQueries(logger, time.Second),
			preset.WithRecovery(), preset.WithTimeout(time.Minute), preset.WithLimit(1), preset.WithHedge(),
			preset.WithAttemptTimeout(time.Second), preset.WithRetry(retry.WithAttempts(2)), preset.WithBreaker(breaker.WithConsecutiveFailures(2)))
		hang := &hangs{}
		call := new(sp.Call)
		attach.Reset(call, hang)
		call.Op, call.Scope, call.Marks.Idempotent = sp.OpExec, sp.ScopePool, true
		_, err := attach.Run(t.Context(), call, p.Chain().Then(attach.Perform))
		// Each attempt has its limit, the call is counted once by the limit, and
		// the breaker has seen both attempts.
		if hang.attempts != 2 || err == nil || !strings.Contains(err.Error(), "1s") {
			t.Errorf("%d attempts: %v", hang.attempts, err)
		}
		if len(own) != 1 {
			t.Errorf("an interceptor outside the retry was called %d times", len(own))
		}
		for s := range p.Breaker().States() {
			if s.State != breaker.StateOpen {
				t.Errorf("the breaker has not seen the attempts: %+v", s)
			}
		}
		if s := p.Limiter().Stats(); s.InUse != 0 || s.Limit != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestTheThrottleStandsInsideTheRetryAndOutsideTheBreaker has a database refuse
// two calls of three: each attempt is counted, and calls are throttled before the
// circuit would open.
func TestTheThrottleStandsInsideTheRetryAndOutsideTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPreset(t, preset.WithThrottle(throttle.WithRandom(func() float64 { return 0 })))
		f := &fails{err: &pgconn.PgError{Severity: "FATAL", Code: "53300"}, idempotent: true}
		if events := f.run(t, p.Chain()); f.attempts != 1 || strings.Join(events, " ") != "retry rejected" {
			t.Errorf("%d attempts, %v", f.attempts, events)
		}
		if share := p.Throttler().Share(&sp.Target{System: sp.PostgreSQL, Host: "db"}); share == 0 {
			t.Error("nothing is throttled")
		}
		for s := range p.Breaker().States() {
			if s.State != breaker.StateClosed || s.Counts.Failures != 1 {
				t.Errorf("the breaker has seen %+v", s)
			}
		}
	})
}

// hangs is an operation that ends with its context.
type hangs struct{ attempts int }

func (h *hangs) Do(ctx context.Context, call *sp.Call) error {
	h.attempts++
	<-ctx.Done()
	call.Judge(ctx, ctx.Err(), fault.PhaseStatement, fault.ProgressUnknown)
	return ctx.Err()
}

func TestEveryBadOptionIsNamed(t *testing.T) {
	t.Parallel()
	_, err := preset.New(preset.WithLimit(0), preset.WithRetry(retry.WithAttempts(-1)),
		preset.WithTimeout(-time.Second), preset.WithBreaker(breaker.WithProbes(0)), preset.WithLimit(3, limit.WithQueue(-1)))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"WithAttempts(-1)", "timeout", "WithProbes(0)", "WithQueue"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// TestTheAdaptiveLimitIsInItsPlace has the limit refuse, once and outside the
// retry, and the page show it.
func TestTheAdaptiveLimitIsInItsPlace(t *testing.T) {
	t.Parallel()
	p := newPreset(t, preset.WithLimit(3), preset.WithAdaptiveLimit(adaptivelimit.WithMax(1), adaptivelimit.WithQueue(0), adaptivelimit.WithName("shop")))
	if p.Limiter() != nil || p.AdaptiveLimiter() == nil {
		t.Fatalf("limiters %v and %v", p.Limiter(), p.AdaptiveLimiter())
	}
	h := p.Chain().Then(attach.Perform)
	held := linktest.NewCall(t.Context(), sp.OpQuery, linktest.Opens())
	if open, err := attach.Run(t.Context(), held, h); !open || err != nil {
		t.Fatal(open, err)
	}
	second := linktest.NewCall(t.Context(), sp.OpQuery, linktest.Opens())
	var events []string
	second.OnEvent(func(e sp.Event) { events = append(events, string(e.Kind)) })
	var refusal *adaptivelimit.Error
	if _, err := attach.Run(t.Context(), second, h); !errors.As(err, &refusal) || len(events) != 1 {
		t.Errorf("%v, %v", err, events)
	}
	page := httptest.NewRecorder()
	p.Page().ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if body := page.Body.String(); !strings.Contains(body, "Adaptive limits") || !strings.Contains(body, "1 of 1") {
		t.Error("the page does not show the limit")
	}
	attach.Finish(held, nil)
	if s := p.AdaptiveLimiter().Stats(); len(s) != 1 || s[0].InUse != 0 || s[0].Rejected != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsLeftOutIsNotThere(t *testing.T) {
	t.Parallel()
	p := newPreset(t, preset.WithoutTracing(), preset.WithoutPage(), preset.WithoutRetry(), preset.WithoutBreaker(), preset.WithoutThrottle())
	if p.Page() != nil || p.Breaker() != nil || p.Budget() != nil || p.Limiter() != nil || p.Throttler() != nil || p.AdaptiveLimiter() != nil {
		t.Error("something is there")
	}
	f := &fails{err: io.ErrUnexpectedEOF}
	if events := f.run(t, p.Chain()); f.attempts != 1 || len(events) != 0 {
		t.Errorf("%d attempts, %v", f.attempts, events)
	}
}

// TestItWorksOnADatabase opens a database as the program of the README does.
func TestItWorksOnADatabase(t *testing.T) {
	t.Parallel()
	p := newPreset(t, preset.WithAttemptTimeout(time.Minute, timeout.WithFor(0, sp.OpCopy)))
	db, err := sqldb.Open("pgx", dbtest.Postgres(t).Database(t).URL(), p.Chain())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE items (id SERIAL PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	h, err := sqldb.Wrap(db)
	if err != nil {
		t.Fatal(err)
	}
	err = h.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO items DEFAULT VALUES")
		return err
	})
	var n int
	if err2 := db.QueryRowContext(t.Context(), "SELECT count(*) FROM items").Scan(&n); err != nil || err2 != nil || n != 1 {
		t.Error(n, err, err2)
	}
}
