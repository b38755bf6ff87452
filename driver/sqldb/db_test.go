package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// again is an interceptor that tries every call up to n times, but no steps.
func again(n int) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) (err error) {
			if call.Step() || call.InTx || call.Scope != sp.ScopePool {
				return next(ctx, call)
			}
			for range n {
				if err = call.Try(ctx, next); err == nil {
					return nil
				}
			}
			return err
		}
	})
}

func wrap(t *testing.T, db *sql.DB) *sqldb.DB {
	t.Helper()
	h, err := sqldb.Wrap(db)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWrapTakesOnlyADatabaseOfThisPackage(t *testing.T) {
	t.Parallel()
	foreign := sql.OpenDB(connectorFor{func() (driver.Conn, error) { return nil, errRefused }})
	defer foreign.Close()
	if _, err := sqldb.Wrap(foreign); err == nil {
		t.Error("a foreign database was wrapped")
	}
	if _, err := sqldb.Wrap(nil); err == nil {
		t.Error("nil was wrapped")
	}
}

func TestAHandlesCallIsOneCall(t *testing.T) {
	t.Parallel()
	db, rec, _ := openWith(t, func(log *journal) driver.Conn { return typedConn{&minimalConn{log: log}} })
	h := wrap(t, db)
	ctx := t.Context()
	if err := h.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ExecContext(ctx, "insert"); err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := h.QueryRowContext(ctx, "select").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	rows, err := h.QueryContext(ctx, "select")
	if err != nil {
		t.Fatal(err)
	}
	if rec.finishes() == len(rec.calls) {
		t.Error("the query finished before its rows")
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	tx, err := h.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	stmt, err := h.PrepareContext(ctx, "insert")
	if err != nil {
		t.Fatal(err)
	}
	if err := stmt.Close(); err != nil {
		t.Fatal(err)
	}
	want := []sp.Op{sp.OpPing, sp.OpExec, sp.OpQuery, sp.OpQuery, sp.OpBegin, sp.OpCommit, sp.OpPrepare}
	if !slices.Equal(rec.ops(), want) {
		t.Errorf("calls %v, want %v", rec.ops(), want)
	}
	if rec.finishes() != len(rec.calls) {
		t.Errorf("%d of %d calls finished", rec.finishes(), len(rec.calls))
	}
}

func TestARefusedQueryRowReportsTheRefusal(t *testing.T) {
	t.Parallel()
	db, _, log := openWith(t, plain, refuse(sp.OpQuery, false))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var n int64
	if err := wrap(t, db).QueryRowContext(ctx, "select").Scan(&n); !errors.Is(err, errRefused) {
		t.Errorf("Scan() = %v, want the refusal", err)
	}
	if len(log.all()) != 0 {
		t.Errorf("a refused query reached the driver: %v", log.all())
	}
}

// flakyConn fails the first statements it gets.
type flakyConn struct {
	*minimalConn
	failures *int
}

func (c flakyConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	c.log.add("exec")
	if *c.failures > 0 {
		*c.failures--
		return nil, errRefused
	}
	return driver.RowsAffected(1), nil
}

func TestARetriedHandleCallIsPerformedAgain(t *testing.T) {
	t.Parallel()
	failures := 2
	db, rec, log := openWith(t, func(log *journal) driver.Conn { return flakyConn{&minimalConn{log: log}, &failures} }, again(3))
	res, err := wrap(t, db).ExecContext(t.Context(), "insert")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		t.Errorf("rows affected %d, %v", n, err)
	}
	if log.count("exec") != 3 || len(rec.errs()) != 2 {
		t.Errorf("driver saw %v, chain %v", log.all(), rec.errs())
	}
}

func TestRetryAndDatabaseSQLsOwnLoopDoNotMultiply(t *testing.T) {
	t.Parallel()
	db, log := badDB(t, false, sp.NewChain(again(4)), sqldb.WithTrustedBadConn())
	if _, err := wrap(t, db).ExecContext(t.Context(), "update"); err == nil {
		t.Fatal("no error")
	}
	// database/sql's loop of three in the first attempt, one in each other.
	if n := log.count("sent"); n != 6 {
		t.Errorf("4 attempts reached the driver %d times, want 3+1+1+1", n)
	}
}

func TestAnEmptyChainNeedsNoCalls(t *testing.T) {
	t.Parallel()
	log := &journal{}
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) { return &minimalConn{log: log}, nil }}, sp.Chain{})
	defer db.Close()
	h := wrap(t, db)
	var n int64
	if err := h.QueryRow("select").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	err := h.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "insert")
		return err
	})
	if err != nil || log.count("commit") != 1 {
		t.Error(err, log.all())
	}
}

// slowTx is a transaction whose first rollback waits.
type slowTx struct {
	driver.Tx
	entered, leave chan struct{}
}

func (tx slowTx) Rollback() error {
	close(tx.entered)
	<-tx.leave
	return tx.Tx.Rollback()
}

type slowToRollBack struct {
	*minimalConn
	entered, leave chan struct{}
}

func (c slowToRollBack) Begin() (driver.Tx, error) {
	tx, err := c.minimalConn.Begin()
	if c.log.count("begin") > 1 {
		return tx, err
	}
	return slowTx{tx, c.entered, c.leave}, err
}

// TestATransactionOfAFailedAttemptEndsBeforeTheNext has a BEGIN succeed whose
// context ends, so that database/sql rolls back on a goroutine of its own, and
// an interceptor refuse it. The next attempt's transaction must not be ended by
// the end of the first.
func TestATransactionOfAFailedAttemptEndsBeforeTheNext(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var ends atomic.Int64
	attempt := 0
	refuse := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op != sp.OpBegin || call.Scope != sp.ScopePool {
				return next(ctx, call)
			}
			if attempt++; attempt > 1 {
				call.OnFinish(func(error) { ends.Add(1) })
				return next(ctx, call)
			}
			ctx, cancel := context.WithCancel(ctx)
			err := next(ctx, call)
			cancel()
			<-entered // database/sql is rolling back
			time.AfterFunc(10*time.Millisecond, func() { close(leave) })
			return errors.Join(err, errRefused)
		}
	})
	db, _, log := openWith(t, func(log *journal) driver.Conn {
		return slowToRollBack{&minimalConn{log: log}, entered, leave}
	}, again(2), refuse)
	tx, err := wrap(t, db).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	<-leave
	for db.Stats().InUse > 1 { // until the first transaction's connection is back
		runtime.Gosched()
	}
	if n := ends.Load(); n != 0 {
		t.Errorf("the call has ended %d times while its transaction is open", n)
	}
	if err := tx.Commit(); err != nil || ends.Load() != 1 || log.count("rollback") != 1 || log.count("commit") != 1 {
		t.Errorf("error %v, %d ends, journal %v", err, ends.Load(), log.all())
	}
}
