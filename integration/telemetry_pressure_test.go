package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
)

// conflict makes a statement that fails as often as it is tried, for a reason
// that may be gone the next time, and what ends that reason.
func (e *emitter) conflict(t *testing.T) (text string, end func()) {
	t.Helper()
	switch e.system {
	case sp.PostgreSQL:
		mustExec(t, openDSN(t, e.driver, e.source), "CREATE FUNCTION conflict(what text) RETURNS int LANGUAGE plpgsql AS "+
			"$$ BEGIN RAISE EXCEPTION '%', what USING ERRCODE = '40001'; END $$")
		return "SELECT conflict('" + canary + "')", func() {}
	case sp.MariaDB:
		return "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = '" + canary + "'", func() {}
	}
	db, err := sql.Open(e.driver, e.source)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil) // takes the lock on the file
	if err != nil {
		t.Fatal(err)
	}
	return secretAgain(5), func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// retries runs a statement that is repeated in vain, until each of the reasons
// there are for giving up.
func (e *emitter) retries(t *testing.T) {
	text, end := e.conflict(t)
	defer end()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	soon, never := retry.WithBackoff(retry.Contention, time.Millisecond, time.Millisecond), retry.WithBackoff(retry.Contention, time.Hour, time.Hour)
	// Contention is not charged: it is made to look like something else.
	charged := retry.WithClassifier(func(_ error, v fault.Verdict) fault.Verdict { v.Contention = false; return v })
	full := retry.WithJitter(func(ceiling time.Duration) time.Duration { return ceiling })
	for _, c := range []struct {
		reason  retry.Reason
		ctx     context.Context
		options []retry.Option
	}{
		{retry.ReasonAttempts, t.Context(), []retry.Option{soon}},
		{retry.ReasonBudget, t.Context(), []retry.Option{soon, charged, retry.WithBudget(must(retry.NewBudget(retry.WithCapacity(1))))}},
		{retry.ReasonDeadline, late, []retry.Option{never, full}},
		{retry.ReasonCanceled, ctx, []retry.Option{never, retry.WithJitter(func(ceiling time.Duration) time.Duration { cancel(); return ceiling })}},
	} {
		db := openDSN(t, e.driver, e.source, e.observed(must(retry.New(append(c.options, retry.WithLockTimeouts(), retry.WithMeterProvider(e.meters))...)))...)
		_, err := db.ExecContext(sp.WithIdempotent(c.ctx), text) // SIGNAL is not known to be atomic
		if class := fault.Of(err, fault.Situation{}).Class; err == nil || class != fault.ClassSerialization && class != fault.ClassDeadlock && class != fault.ClassLockTimeout {
			t.Fatalf("%s: %v of class %v", c.reason, err, class)
		}
	}
}

// outage has a statement end a circuit's patience.
func (e *emitter) outage(t *testing.T) {
	brk := must(breaker.New(breaker.WithConsecutiveFailures(1), breaker.WithMaxWait(0), breaker.WithMeterProvider(e.meters)))
	db := openDSN(t, e.driver, e.source, e.observed(brk, must(timeout.New(time.Minute, timeout.WithFor(20*time.Millisecond, sp.OpExec))))...)
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := db.ExecContext(t.Context(), endless[e.system])
	if _, ok := errors.AsType[*timeout.Error](err); !ok {
		t.Fatal(err)
	}
	if err := db.PingContext(t.Context()); !errors.Is(err, breaker.ErrOpen) {
		t.Fatal(err)
	}
}

// crowds has calls wait at limits, and be refused by them.
func (e *emitter) crowds(t *testing.T) {
	named, meters := limit.WithName("crowd"), limit.WithMeterProvider(e.meters)
	limiter := must(limit.New(1, limit.WithQueue(1), named, meters))
	db := openDSN(t, e.driver, e.source, e.observed(limiter)...)
	rows, err := db.QueryContext(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- db.PingContext(t.Context()) }()
	for limiter.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	e.refused(t, db.PingContext(t.Context()))
	if err := errors.Join(rows.Close(), <-waiting); err != nil {
		t.Fatal(err)
	}

	impatient := openDSN(t, e.driver, e.source, e.observed(must(limit.New(1, limit.WithMaxWait(time.Nanosecond), named, meters)))...)
	if rows, err = impatient.QueryContext(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	e.refused(t, impatient.PingContext(t.Context()))
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}

	adaptive := openDSN(t, e.driver, e.source, e.observed(must(adaptivelimit.New(adaptivelimit.WithInitial(1), adaptivelimit.WithMax(1),
		adaptivelimit.WithMaxWait(time.Nanosecond), adaptivelimit.WithName("crowd"), adaptivelimit.WithMeterProvider(e.meters))))...)
	if rows, err = adaptive.QueryContext(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	e.refused(t, adaptive.PingContext(t.Context()))
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}

	rates := []ratelimit.Option{ratelimit.WithName("crowd"), ratelimit.WithMeterProvider(e.meters)}
	quick := openDSN(t, e.driver, e.source, e.observed(must(ratelimit.New(1000, 1, rates...)))...)
	for range 3 {
		if err := quick.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	slow := openDSN(t, e.driver, e.source, e.observed(must(ratelimit.New(0.001, 1, append(rates, ratelimit.WithMaxWait(time.Nanosecond))...)))...)
	if err := slow.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.refused(t, slow.PingContext(t.Context()))

	throttler := must(throttle.New(throttle.WithRandom(func() float64 { return 0 }), throttle.WithMeterProvider(e.meters)))
	overloaded := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op == sp.OpPing {
				return &mysql.MySQLError{Number: 1040, Message: "Too many connections"}
			}
			return next(ctx, call)
		}
	})
	full := openDSN(t, e.driver, e.source, e.observed(throttler, overloaded)...)
	if err := full.PingContext(t.Context()); err == nil || errors.Is(err, fault.ErrRejected) {
		t.Fatal(err)
	}
	e.refused(t, full.PingContext(t.Context()))
}

func (e *emitter) refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, fault.ErrRejected) {
		t.Fatalf("not refused: %v", err)
	}
}

// stall holds up one of the two attempts at a hedged query until it is
// cancelled, and the other one until that has begun.
type stall struct {
	held  int32 // 1 or 2
	n     atomic.Int32
	begun chan struct{} // closed when there is a second attempt, or will be none
}

func (s *stall) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op != sp.OpQuery || call.Step() {
			return next(ctx, call)
		}
		n := s.n.Add(1)
		if n == 2 {
			close(s.begun)
		}
		<-s.begun
		if n == s.held {
			<-ctx.Done()
			return ctx.Err()
		}
		return next(ctx, call)
	}
}

// hedges has a second attempt win, lose, and be left out.
func (e *emitter) hedges(t *testing.T) {
	named, meters := hedge.WithName("slow"), hedge.WithMeterProvider(e.meters)
	query := func(s *stall, opts ...hedge.Option) {
		t.Helper()
		s.begun = make(chan struct{})
		hedger := must(hedge.New(append(opts, hedge.WithDelay(time.Microsecond), named, meters)...))
		db := openDSN(t, e.driver, e.source, e.observed(hedger, s)...)
		var n int
		if err := db.QueryRowContext(sp.WithReadOnly(t.Context()), "SELECT COUNT(*) FROM notes").Scan(&n); err != nil || n == 0 {
			t.Fatalf("%d notes, %v", n, err)
		}
	}
	query(&stall{held: 1})
	query(&stall{held: 2})
	full := &stall{}
	query(full, hedge.WithPool(func() bool {
		defer close(full.begun)
		return false
	}))
}
