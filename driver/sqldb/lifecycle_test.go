package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
)

func TestACallIsFinishedWhenItsRowsAreClosed(t *testing.T) {
	t.Parallel()
	var returned int64
	count := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(func(error) { returned += call.RowsReturned })
			return next(ctx, call)
		}
	})
	db, rec, _ := openWith(t, func(log *journal) driver.Conn { return typedConn{&minimalConn{log: log}} }, count)
	rows, err := db.QueryContext(t.Context(), "select")
	if err != nil {
		t.Fatal(err)
	}
	if rec.finishes() != 1 {
		t.Errorf("%d calls finished while rows are open, want the connect alone", rec.finishes())
	}
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if rec.finishes() != 2 || rec.finished[1] != nil || returned != 2 {
		t.Errorf("finished %v with %d rows, want no error and 2 rows", rec.finished, returned)
	}
}

func TestRowsAbandonedByACancelledContextAreFinished(t *testing.T) {
	t.Parallel()
	finished := make(chan error, 1)
	wait := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op == sp.OpQuery {
				call.OnFinish(func(err error) { finished <- err })
			}
			return next(ctx, call)
		}
	})
	db, _, _ := openWith(t, plain, wait)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.QueryContext(ctx, "select")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-finished; !errors.Is(err, context.Canceled) {
		t.Errorf("abandoned rows finished with %v", err)
	}
	_ = rows.Err()
}

func TestAnErrorBetweenRowsFinishesTheCallWithIt(t *testing.T) {
	t.Parallel()
	db, rec, _ := openWith(t, func(log *journal) driver.Conn {
		c := &minimalConn{log: log}
		c.stmt = func(string) driver.Stmt { return brokenRowsStmt{&minimalStmt{log: log}} }
		return c
	})
	rows, err := db.QueryContext(t.Context(), "select")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	if !errors.Is(rows.Err(), errRefused) {
		t.Errorf("rows.Err() = %v", rows.Err())
	}
	if last := rec.finished[len(rec.finished)-1]; !errors.Is(last, errRefused) {
		t.Errorf("the call finished with %v", last)
	}
}

type brokenRowsStmt struct{ *minimalStmt }

func (s brokenRowsStmt) Query([]driver.Value) (driver.Rows, error) {
	return &minimalRows{log: s.log, values: []int64{1}, err: errRefused}, nil
}

// refuse is an interceptor that refuses an operation before or after it was
// performed.
func refuse(op sp.Op, after bool) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op != op {
				return next(ctx, call)
			}
			if after {
				if err := next(ctx, call); err != nil {
					return err
				}
			}
			return errRefused
		}
	})
}

func TestARefusedResultIsClosed(t *testing.T) {
	t.Parallel()
	t.Run("rows", func(t *testing.T) {
		t.Parallel()
		db, _, log := openWith(t, plain, refuse(sp.OpQuery, true))
		if _, err := db.QueryContext(t.Context(), "select"); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		if log.count("close rows") != 1 {
			t.Errorf("rows stay open: %v", log.all())
		}
	})
	t.Run("transaction", func(t *testing.T) {
		t.Parallel()
		db, _, log := openWith(t, plain, refuse(sp.OpBegin, true))
		if _, err := db.BeginTx(t.Context(), nil); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		if log.count("rollback") != 1 {
			t.Errorf("the transaction stays open: %v", log.all())
		}
	})
	t.Run("connection", func(t *testing.T) {
		t.Parallel()
		db, _, log := openWith(t, plain, refuse(sp.OpConnect, true))
		if err := db.PingContext(t.Context()); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		if log.count("close") != 1 {
			t.Errorf("the connection stays open: %v", log.all())
		}
	})
}

func TestNoTransactionStaysOpenInThePool(t *testing.T) {
	t.Parallel()
	for _, op := range []sp.Op{sp.OpCommit, sp.OpRollback} {
		t.Run(op.String(), func(t *testing.T) {
			t.Parallel()
			db, rec, log := openWith(t, plain, refuse(op, false))
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			end := tx.Commit
			if op == sp.OpRollback {
				end = tx.Rollback
			}
			if err := end(); !errors.Is(err, errRefused) {
				t.Fatal(err)
			}
			if want := []string{"open", "begin", "rollback"}; !slices.Equal(log.all(), want) {
				t.Errorf("driver saw %v, want %v", log.all(), want)
			}
			if rec.finishes() != len(rec.calls) {
				t.Errorf("%d of %d calls finished", rec.finishes(), len(rec.calls))
			}
		})
	}
}

func TestAPanicInTheChainLeavesTheConnectionUsable(t *testing.T) {
	t.Parallel()
	boom := true
	db, rec, log := openWith(t, plain, sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := next(ctx, call)
			if call.Op == sp.OpQuery && boom {
				boom = false
				panic("boom")
			}
			return err
		}
	}))
	db.SetMaxOpenConns(1)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not pass")
			}
		}()
		_, _ = db.QueryContext(t.Context(), "select")
	}()
	if log.count("close rows") != 1 {
		t.Errorf("rows stay open: %v", log.all())
	}
	if last := rec.finished[len(rec.finished)-1]; !errors.Is(last, sp.ErrAborted) {
		t.Errorf("the call finished with %v", last)
	}
}

func TestAnInterceptorMayRewriteTheText(t *testing.T) {
	t.Parallel()
	db, _, log := openWith(t, func(log *journal) driver.Conn { return legacyConn{&minimalConn{log: log}} },
		sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				if call.Text != "" {
					call.Text += " /* traced */"
				}
				return next(ctx, call)
			}
		}))
	if _, err := db.ExecContext(t.Context(), "insert"); err != nil {
		t.Fatal(err)
	}
	if log.count("direct exec insert /* traced */ []") != 1 {
		t.Errorf("driver saw %v", log.all())
	}
}

func TestACallThatNobodyPerformedIsAnError(t *testing.T) {
	t.Parallel()
	for _, op := range []sp.Op{sp.OpConnect, sp.OpExec, sp.OpQuery, sp.OpBegin, sp.OpPrepare, sp.OpTransaction} {
		t.Run(op.String(), func(t *testing.T) {
			t.Parallel()
			db, _, _ := openWith(t, func(log *journal) driver.Conn { return legacyConn{&minimalConn{log: log}} },
				sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
					return func(ctx context.Context, call *sp.Call) error {
						if call.Op == op {
							return nil
						}
						return next(ctx, call)
					}
				}))
			h := wrap(t, db)
			_, exec := db.ExecContext(t.Context(), "insert")
			_, query := db.QueryContext(t.Context(), "select")
			_, begin := db.BeginTx(t.Context(), nil)
			_, prepare := db.PrepareContext(t.Context(), "insert")
			unit := h.RunInTx(t.Context(), nil, func(context.Context, *sql.Tx) error { return nil })
			_, handle := h.ExecContext(t.Context(), "insert")
			got := map[sp.Op]error{
				sp.OpConnect: exec, sp.OpExec: errors.Join(exec, handle), sp.OpQuery: query,
				sp.OpBegin: begin, sp.OpPrepare: prepare, sp.OpTransaction: unit,
			}
			if err := got[op]; err == nil || !strings.Contains(err.Error(), "without calling the next handler") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// panickingConn panics in the middle of a statement.
type panickingConn struct{ *minimalConn }

func (c panickingConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	panic("in the driver")
}

func TestAConnectionWhoseDriverPanickedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	db, _, log := openWith(t, func(log *journal) driver.Conn { return panickingConn{&minimalConn{log: log}} },
		sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) (err error) {
				defer func() {
					if r := recover(); r != nil {
						err = errRefused
					}
				}()
				return next(ctx, call)
			}
		}))
	for range 2 {
		if _, err := db.ExecContext(t.Context(), "insert"); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
	}
	if log.count("open") != 2 || log.count("close") != 2 {
		t.Errorf("driver saw %v, want every connection closed after its panic", log.all())
	}
}

// TestRowsClosedTwice is about code that has the connection by [sql.Conn.Raw] and
// closes rows as the drivers let it: twice.
func TestRowsClosedTwice(t *testing.T) {
	t.Parallel()
	observe := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(func(error) {})
			return next(ctx, call)
		}
	})
	for _, links := range [][]sp.Interceptor{nil, {observe}} {
		db := openPostgres(t, links...)
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Raw(func(c any) error {
			begin, err := c.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
			if err != nil {
				return err
			}
			for range 2 {
				rows, err := c.(driver.QueryerContext).QueryContext(t.Context(), "SELECT 1", nil)
				if err != nil {
					return err
				}
				if err := errors.Join(rows.Close(), rows.Close()); err != nil {
					return err
				}
			}
			return begin.Rollback()
		}); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
