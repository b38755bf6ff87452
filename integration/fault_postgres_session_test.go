package integration_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// lost is what a broken connection means when nothing else is known.
var faultLost = faultWant{
	class: fault.ClassConnectionLost, breaker: fault.BreakerFailure, inTx: fault.RetryTransaction,
	outcome: fault.OutcomeUnknown, discard: true,
}

// faultSaysFatal reports whether the driver passes a FATAL error on. lib/pq
// makes driver.ErrBadConn of it.
func faultSaysFatal(d faultDriver) bool { return d.name != "lib/pq" }

// or returns w, or what a lost connection means if the driver hides more.
func (w faultWant) or(d faultDriver) faultWant {
	if faultSaysFatal(d) {
		return w
	}
	return faultLost
}

// faultWatcher is a second connection that watches and ends a first one.
type faultWatcher struct{ faultConn }

// pid returns the process of a connection.
func (faultWatcher) pid(t *testing.T, c faultConn) string {
	t.Helper()
	pid, err := c.ask(t.Context(), "SELECT pg_backend_pid()::text")
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// until waits until n sessions of a process are in a state.
func (w faultWatcher) until(t *testing.T, n, pid, state string) {
	t.Helper()
	for {
		got, err := w.ask(t.Context(), "SELECT count(*)::text FROM pg_stat_activity WHERE pid = "+pid+" AND "+state)
		if err != nil {
			t.Fatal(err)
		}
		if got == n {
			return
		}
	}
}

// untilGone waits until a process has ended.
func (w faultWatcher) untilGone(t *testing.T, pid string) {
	t.Helper()
	w.until(t, "0", pid, "true")
}

// terminate ends a process and waits for its end.
func (w faultWatcher) terminate(t *testing.T, pid string) {
	t.Helper()
	faultExec(t, w, "SELECT pg_terminate_backend("+pid+", 30000)")
}

// faultSleep runs a statement that lasts, and calls then while it runs.
func faultSleep(t *testing.T, ctx context.Context, w faultWatcher, s faultSession, pid string, then func()) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.exec(ctx, "SELECT pg_sleep(60)") }()
	w.until(t, "1", pid, "wait_event = 'PgSleep'")
	then()
	return <-done
}

func TestFaultPostgresTerminated(t *testing.T) {
	t.Parallel()
	down := faultWant{
		class: fault.ClassServerDown, code: "57P01", breaker: fault.BreakerFailure, inTx: fault.RetryTransaction,
		outcome: fault.OutcomeUnknown, discard: true,
	}
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		w := faultWatcher{d.open(t, db.DSN())}
		want := down.or(d)
		t.Run("while idle", func(t *testing.T) {
			conn := d.open(t, db.DSN())
			w.terminate(t, w.pid(t, conn))
			want.check(t, conn.exec(t.Context(), "SELECT 1"))
		})
		t.Run("while a statement runs", func(t *testing.T) {
			conn := d.open(t, db.DSN())
			pid := w.pid(t, conn)
			err := faultSleep(t, t.Context(), w, conn, pid, func() { w.terminate(t, pid) })
			want.check(t, err)
			if v := fault.Of(err, fault.Situation{Idempotent: true}); v.Retry != fault.RetryReconnect {
				t.Errorf("idempotent: %+v", v)
			}
		})
		t.Run("in a transaction", func(t *testing.T) {
			conn := d.open(t, db.DSN())
			pid := w.pid(t, conn)
			tx := faultBegin(t, conn)
			w.terminate(t, pid)
			want.checkInTx(t, tx.exec(t.Context(), "SELECT 1"))
			_ = tx.rollback(t.Context())
		})
		t.Run("before COMMIT", func(t *testing.T) {
			conn := d.open(t, db.DSN())
			pid := w.pid(t, conn)
			tx := faultBegin(t, conn)
			w.terminate(t, pid)
			want := want
			want.inTx = fault.RetryNone // it can't be told from one that committed
			want.checkCommit(t, tx.commit(t.Context()))
		})
	})
}

// TestFaultPostgresIdleTimeouts outlives the server's patience with a session
// that does nothing.
func TestFaultPostgresIdleTimeouts(t *testing.T) {
	t.Parallel()
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		w := faultWatcher{d.open(t, db.DSN())}
		inTx := faultWant{
			class: fault.ClassStatementTimeout, code: "25P03", breaker: fault.BreakerExclude, inTx: fault.RetryTransaction,
			outcome: fault.OutcomeRolledBack, discard: true, answered: true,
		}.or(d)
		conn := d.open(t, db.DSN())
		pid := w.pid(t, conn)
		faultExec(t, conn, "SET idle_in_transaction_session_timeout = '20ms'")
		tx := faultBegin(t, conn)
		w.untilGone(t, pid)
		inTx.checkInTx(t, tx.exec(t.Context(), "SELECT 1"))
		_ = tx.rollback(t.Context())

		conn = d.open(t, db.DSN())
		pid = w.pid(t, conn)
		faultExec(t, conn, "SET idle_in_transaction_session_timeout = '20ms'")
		tx = faultBegin(t, conn)
		w.untilGone(t, pid)
		if !faultSaysFatal(d) {
			inTx.inTx = fault.RetryNone
		}
		inTx.checkCommit(t, tx.commit(t.Context()))

		idle := faultWant{
			class: fault.ClassConnectionLost, code: "57P05", breaker: fault.BreakerExclude, alone: fault.RetryReconnect,
			outcome: fault.OutcomeNotSent, discard: true, answered: true,
		}.or(d)
		conn = d.open(t, db.DSN())
		pid = w.pid(t, conn)
		faultExec(t, conn, "SET idle_session_timeout = '20ms'")
		w.untilGone(t, pid)
		idle.check(t, conn.exec(t.Context(), "SELECT 1"))
	})
}

// TestFaultPostgresContexts ends the context of a running statement.
func TestFaultPostgresContexts(t *testing.T) {
	t.Parallel()
	attempt := fmt.Errorf("attempt: %w", fault.ErrAttemptTimeout)
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		w := faultWatcher{d.open(t, db.DSN())}
		for _, c := range []struct {
			name  string
			cause error
			class fault.Class
		}{
			{"cancelled", context.Canceled, fault.ClassCanceled},
			{"deadline", context.DeadlineExceeded, fault.ClassTimeout},
			{"attempt", attempt, fault.ClassAttemptTimeout},
		} {
			conn := d.open(t, db.DSN())
			ctx, cancel := context.WithCancelCause(t.Context())
			err := faultSleep(t, ctx, w, conn, w.pid(t, conn), func() { cancel(c.cause) })
			v := fault.Of(err, fault.Situation{Cause: context.Cause(ctx)})
			wantRetry, wantBreaker := fault.RetryNone, fault.BreakerExclude
			if c.class == fault.ClassAttemptTimeout {
				wantBreaker = fault.BreakerFailure
				if fault.Code(err) == "57014" { // lib/pq waits for the server's word: the statement is undone
					wantRetry = fault.RetryStatement
				}
			}
			if v.Class != c.class || v.Retry != wantRetry || v.Breaker != wantBreaker {
				t.Errorf("%s: %v: got %+v", c.name, err, v)
			}
		}
		conn := d.open(t, db.DSN())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := conn.exec(ctx, "SELECT 1")
		if err == nil { // lib/pq does not look before it sends
			return
		}
		if v := fault.Of(err, fault.Situation{Cause: context.Cause(ctx)}); v.Class != fault.ClassCanceled {
			t.Errorf("before it was sent: %v: %+v", err, v)
		}
	})
}

// TestFaultPostgresCancelRequest cancels a statement from another session.
func TestFaultPostgresCancelRequest(t *testing.T) {
	t.Parallel()
	want := faultWant{class: fault.ClassCanceled, code: "57014", breaker: fault.BreakerExclude, outcome: fault.OutcomeRolledBack, answered: true}
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		w := faultWatcher{d.open(t, db.DSN())}
		conn := d.open(t, db.DSN())
		pid := w.pid(t, conn)
		want.check(t, faultSleep(t, t.Context(), w, conn, pid, func() { faultExec(t, w, "SELECT pg_cancel_backend("+pid+")") }))
	})
}

// faultChecksDial checks the error of a connection that was not made.
func faultChecksDial(t *testing.T, d faultDriver, dsn string, want fault.Verdict, code string) error {
	t.Helper()
	c, err := d.dial(t.Context(), dsn)
	if err == nil {
		c.close()
		t.Fatal("a connection was made")
	}
	got := fault.Of(err, fault.Situation{Phase: fault.PhaseConnect})
	got.DiscardConn = false // there is none
	if got != want {
		t.Errorf("%v:\ngot  %+v\nwant %+v", err, got, want)
	}
	if fault.Code(err) != code {
		t.Errorf("%v: code %q, want %q", err, fault.Code(err), code)
	}
	return err
}

// faultNotMade is what a connection that could not be made means.
var faultNotMade = fault.Verdict{
	Class: fault.ClassConnect, Retry: fault.RetryReconnect, Outcome: fault.OutcomeNotSent, Breaker: fault.BreakerFailure,
}

func TestFaultPostgresConnect(t *testing.T) {
	t.Parallel()
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		w := d.open(t, db.DSN())
		wrong := db
		wrong.Password = "wrong"
		faultChecksDial(t, d, wrong.DSN(), fault.Verdict{Class: fault.ClassAuth, Outcome: fault.OutcomeNotSent, Breaker: fault.BreakerFailure}, "28P01")
		wrong = db
		wrong.Name = "nowhere"
		faultChecksDial(t, d, wrong.DSN(), fault.Verdict{Class: fault.ClassNotFound, Outcome: fault.OutcomeNotSent, Breaker: fault.BreakerFailure}, "3D000")
		for _, unreachable := range []func(*dbtest.Database){
			func(db *dbtest.Database) { db.Port = 1 },
			func(db *dbtest.Database) { db.Host = "host.invalid" },
		} {
			wrong = db
			unreachable(&wrong)
			err := faultChecksDial(t, d, wrong.DSN(), faultNotMade, "")
			// database/sql dials inside a statement: there too nothing was sent.
			if v := fault.Of(err, fault.Situation{}); v.Retry != fault.RetryReconnect || v.Outcome != fault.OutcomeNotSent {
				t.Errorf("as a statement's error: %v: %+v", err, v)
			}
		}
		faultExec(t, w, "ALTER DATABASE "+db.Name+" CONNECTION LIMIT 1")
		faultChecksDial(t, d, db.DSN(), fault.Verdict{Class: fault.ClassOverloaded, Retry: fault.RetryReconnect, Outcome: fault.OutcomeNotSent, Breaker: fault.BreakerFailure, Slow: true}, "53300")
	})
}

// TestFaultPostgresConnectTimeout dials a server that does not answer.
func TestFaultPostgresConnectTimeout(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindPostgres)
	db := server.Database(t)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	for _, d := range faultPostgresDrivers {
		faultChecksDial(t, d, db.DSN("connect_timeout=1"), faultNotMade, "")
		if d.name == "lib/pq" { // dials without the context when it is opened by name
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := d.dial(ctx, db.DSN())
		cancel()
		if v := fault.Of(err, fault.Situation{Phase: fault.PhaseConnect, Cause: context.DeadlineExceeded}); v.Class != fault.ClassTimeout || v.Retry != fault.RetryNone || v.Breaker != fault.BreakerExclude {
			t.Errorf("%s: the caller's deadline: %v: %+v", d.name, err, v)
		}
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
}

// TestFaultPostgresServerEnds stops and kills servers under a statement.
func TestFaultPostgresServerEnds(t *testing.T) {
	t.Parallel()
	down := faultWant{class: fault.ClassServerDown, code: "57P01", breaker: fault.BreakerFailure, inTx: fault.RetryTransaction, outcome: fault.OutcomeUnknown, discard: true}
	for _, d := range faultPostgresDrivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			server := dbtest.Private(t, dbtest.KindPostgres)
			db := server.Database(t)
			conn := d.open(t, db.DSN())
			w := faultWatcher{d.open(t, db.DSN())}
			err := faultSleep(t, t.Context(), w, conn, w.pid(t, conn), func() { faultMust(t, server.Stop()) })
			down.or(d).check(t, err)
			faultChecksDial(t, d, db.DSN(), faultNotMade, "")

			faultMust(t, server.Restart(t.Context()))
			conn, w = d.open(t, db.DSN()), faultWatcher{d.open(t, db.DSN())}
			err = faultSleep(t, t.Context(), w, conn, w.pid(t, conn), func() { faultMust(t, server.Kill()) })
			faultLost.check(t, err)
			faultChecksDial(t, d, db.DSN(), faultNotMade, "")
		})
	}
}

func faultMust(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
