package pgxdb_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/retry"
)

func TestTransactionsAndSavepoints(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, "CREATE TABLE t (n int)")
	rec.take()
	tx := must(pool.Begin(t.Context()))
	exec(t, tx, "INSERT INTO t VALUES (1)")
	kept := must(tx.Begin(t.Context()))
	exec(t, kept, "INSERT INTO t VALUES (2)")
	if err := kept.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	undone := must(tx.Begin(t.Context()))
	exec(t, undone, "INSERT INTO t VALUES (4)")
	if err := undone.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := rec.take()
	wantOps(t, calls, sp.OpBegin, sp.OpExec, sp.OpSavepoint, sp.OpExec, sp.OpRelease,
		sp.OpSavepoint, sp.OpExec, sp.OpRollback, sp.OpCommit)
	for _, c := range calls[1:] {
		if !c.inTx || c.scope != sp.ScopeConn {
			t.Errorf("%+v", c)
		}
	}
	if n := count(t, pool, "SELECT sum(n) FROM t"); n != 3 {
		t.Errorf("the sum is %d, want 3", n)
	}
	for name, err := range map[string]error{
		"commit": tx.Commit(t.Context()), "rollback": tx.Rollback(t.Context()), "savepoint": kept.Commit(t.Context()),
		"query": tx.QueryRow(t.Context(), "SELECT 1").Scan(new(int)),
	} {
		if !errors.Is(err, pgx.ErrTxClosed) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
	if calls := rec.take(); len(calls) != 0 {
		t.Errorf("what was asked after the end reached the chain: %v", ops(calls))
	}
	sound(t, pool)
}

func TestNoTransactionIsLeftBehindByARefusal(t *testing.T) {
	t.Parallel()
	for _, op := range []sp.Op{sp.OpCommit, sp.OpRollback} {
		pool, _ := newPool(t, refuse(op, false, errRefused))
		exec(t, pool, "CREATE TABLE t (n int)")
		tx := must(pool.Begin(t.Context()))
		exec(t, tx, "INSERT INTO t VALUES (1)")
		end := tx.Commit
		if op == sp.OpRollback {
			end = tx.Rollback
		}
		if err := end(t.Context()); !errors.Is(err, errRefused) {
			t.Error(err)
		}
		sound(t, pool)
		if n := count(t, pool, "SELECT count(*) FROM t"); n != 0 || pool.Stat().NewConnsCount() != 1 {
			t.Errorf("%v refused: %d rows, %d connections", op, n, pool.Stat().NewConnsCount())
		}
	}
}

func TestAFailedTransactionSaysSoAtCommit(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	tx := must(pool.Begin(t.Context()))
	if _, err := tx.Exec(t.Context(), "SELECT 1/0"); err == nil {
		t.Fatal("no error")
	}
	if err := tx.Commit(t.Context()); !errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, sp.ErrCommitUnknown) {
		t.Error(err)
	}
	wantOps(t, rec.take(), sp.OpBegin, sp.OpExec, sp.OpCommit)
	sound(t, pool)
}

func TestRunInTxCommitsOrRollsBack(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, "CREATE TABLE t (n int)")
	rec.take()
	insert := func(n int, after func() error) func(context.Context, pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO t VALUES ($1)", n); err != nil {
				return err
			}
			return after()
		}
	}
	if err := pool.RunInTx(t.Context(), noOptions, insert(1, func() error { return nil })); err != nil {
		t.Fatal(err)
	}
	wantOps(t, rec.take(), sp.OpTransaction, sp.OpBegin, sp.OpExec, sp.OpCommit)
	if err := pool.RunInTx(t.Context(), noOptions, insert(2, func() error { return errRefused })); !errors.Is(err, errRefused) {
		t.Error(err)
	}
	wantOps(t, rec.take(), sp.OpTransaction, sp.OpBegin, sp.OpExec, sp.OpRollback)
	for name, leave := range map[string]func() error{
		"panic":  func() error { panic("leave") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			_ = pool.RunInTx(t.Context(), noOptions, insert(4, leave))
		}()
		<-done
		calls := rec.take()
		wantOps(t, calls, sp.OpTransaction, sp.OpBegin, sp.OpExec, sp.OpRollback)
		if !errors.Is(calls[0].end, sp.ErrAborted) {
			t.Errorf("%s: the unit ended with %v", name, calls[0].end)
		}
	}
	if n := count(t, pool, "SELECT sum(n) FROM t"); n != 1 {
		t.Errorf("the sum is %d, want 1", n)
	}
	sound(t, pool)
}

func TestANestedUnitIsASavepoint(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{false, true} {
		pool, rec := newPool(t)
		if empty {
			pool = must(pgxdb.WrapPool(pool.Unwrap(), sp.NewChain()))
		}
		exec(t, pool, "CREATE TABLE t (n int)")
		rec.take()
		err := pool.RunInTx(t.Context(), noOptions, func(ctx context.Context, tx pgx.Tx) error {
			exec(t, tx, "INSERT INTO t VALUES (1)")
			err := pool.RunInTx(ctx, noOptions, func(ctx context.Context, tx pgx.Tx) error {
				exec(t, tx, "INSERT INTO t VALUES (2)")
				return pool.RunInTx(ctx, noOptions, func(_ context.Context, tx pgx.Tx) error {
					exec(t, tx, "INSERT INTO t VALUES (4)")
					return errRefused
				})
			})
			if !errors.Is(err, errRefused) {
				t.Error(err)
			}
			return pool.RunInTx(ctx, noOptions, func(_ context.Context, tx pgx.Tx) error {
				exec(t, tx, "INSERT INTO t VALUES (8)")
				return nil
			})
		})
		if n := count(t, pool, "SELECT sum(n) FROM t"); err != nil || n != 9 {
			t.Errorf("empty %t: the sum is %d, want 9; %v", empty, n, err)
		}
		if !empty {
			wantOps(t, rec.take(), sp.OpTransaction, sp.OpBegin, sp.OpExec, sp.OpSavepoint, sp.OpExec,
				sp.OpSavepoint, sp.OpExec, sp.OpRollback, sp.OpRollback, sp.OpSavepoint, sp.OpExec, sp.OpRelease, sp.OpCommit)
		}
		sound(t, pool)
	}
}

func TestANestedUnitCannotAskForOtherOptions(t *testing.T) {
	t.Parallel()
	pool, _ := newPool(t)
	err := pool.RunInTx(t.Context(), noOptions, func(ctx context.Context, _ pgx.Tx) error {
		return pool.RunInTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(context.Context, pgx.Tx) error { return nil })
	})
	if err == nil {
		t.Error("a savepoint was given another isolation level")
	}
	sound(t, pool)
}

func TestAUnitIsPerformedAgainAsAWhole(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t, attempts(3, sp.OpTransaction))
	exec(t, pool, "CREATE TABLE t (n int)")
	rec.take()
	runs := 0
	err := pool.RunInTx(t.Context(), noOptions, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		exec(t, tx, "INSERT INTO t VALUES (1)")
		if runs < 3 {
			return errRefused
		}
		return nil
	})
	if n := count(t, pool, "SELECT count(*) FROM t"); err != nil || runs != 3 || n != 1 {
		t.Errorf("%d runs left %d rows, %v", runs, n, err)
	}
	sound(t, pool)
}

func TestACancelledUnitIsRolledBackOnALivingConnection(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, "CREATE TABLE t (n int)")
	rec.take()
	ctx, cancel := context.WithCancel(t.Context())
	err := pool.RunInTx(ctx, noOptions, func(ctx context.Context, tx pgx.Tx) error {
		exec(t, tx, "INSERT INTO t VALUES (1)")
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	sound(t, pool)
	if n := count(t, pool, "SELECT count(*) FROM t"); n != 0 || pool.Stat().NewConnsCount() != 1 {
		t.Errorf("%d rows, %d connections", n, pool.Stat().NewConnsCount())
	}
}

// TestAUnitOnAConnectionInATransactionIsNotReplayed holds that what was done before
// the unit, in the transaction that its ROLLBACK ends, is not lost behind a unit
// that succeeds the second time.
func TestAUnitOnAConnectionInATransactionIsNotReplayed(t *testing.T) {
	t.Parallel()
	pool, _ := newPool(t, must(retry.New(retry.WithBackoff(retry.Contention, 0, 0))))
	exec(t, pool, "CREATE TABLE t (n int)")
	for name, begin := range map[string]func(c *pgxdb.PoolConn) error{
		"by a text": func(c *pgxdb.PoolConn) error {
			_, err := c.Exec(t.Context(), "BEGIN")
			return err
		},
		"by a method": func(c *pgxdb.PoolConn) error {
			_, err := c.Begin(t.Context())
			return err
		},
	} {
		runs := 0
		err := pool.AcquireFunc(t.Context(), func(c *pgxdb.PoolConn) error {
			if err := begin(c); err != nil {
				t.Fatal(err)
			}
			exec(t, c, "INSERT INTO t VALUES (1)")
			return c.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
				if runs++; runs == 1 {
					_, err := tx.Exec(ctx, "DO $$ BEGIN RAISE EXCEPTION 'a conflict' USING ERRCODE = '40001'; END $$")
					return err
				}
				return nil
			})
		})
		if err == nil || runs != 1 {
			t.Errorf("%s: %d runs: %v", name, runs, err)
		}
	}
	sound(t, pool)
}
