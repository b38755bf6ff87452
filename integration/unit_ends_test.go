package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/retry"
)

// unitTx is what a unit's function has, whatever runs the unit.
type unitTx interface {
	exec(ctx context.Context, text string) error
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
}

// unitRunner runs units on one attachment.
type unitRunner struct {
	name string
	run  func(ctx context.Context, fn func(ctx context.Context, tx unitTx) error) error
	// managed says that the function can't end the transaction.
	managed bool
}

type unitSQL struct{ *sql.Tx }

func (x unitSQL) exec(ctx context.Context, text string) error {
	_, err := x.ExecContext(ctx, text)
	return err
}
func (x unitSQL) commit(context.Context) error   { return x.Commit() }
func (x unitSQL) rollback(context.Context) error { return x.Rollback() }

type unitPgx struct{ pgx.Tx }

func (x unitPgx) exec(ctx context.Context, text string) error {
	_, err := x.Exec(ctx, text)
	return err
}
func (x unitPgx) commit(ctx context.Context) error   { return x.Commit(ctx) }
func (x unitPgx) rollback(ctx context.Context) error { return x.Rollback(ctx) }

type unitEngine struct{ *engine.Tx }

func (x unitEngine) exec(ctx context.Context, text string) error {
	_, err := x.Execute(ctx, engine.Text(text))
	return err
}
func (x unitEngine) commit(ctx context.Context) error   { return x.Commit(ctx) }
func (x unitEngine) rollback(ctx context.Context) error { return x.Rollback(ctx) }

type unitSession struct{ *proxy.Session }

func (x unitSession) exec(ctx context.Context, text string) error {
	_, err := x.Execute(ctx, engine.Text(text))
	return err
}
func (x unitSession) commit(ctx context.Context) error   { return x.Commit(ctx) }
func (x unitSession) rollback(ctx context.Context) error { return x.Rollback(ctx) }

func sqlUnits(name string, db *sqldb.DB) unitRunner {
	return unitRunner{name: name, run: func(ctx context.Context, fn func(context.Context, unitTx) error) error {
		return db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error { return fn(ctx, unitSQL{tx}) })
	}}
}

func engineUnits(name string, e *engine.Engine) []unitRunner {
	m := must(proxy.NewMaker(e))
	return []unitRunner{
		{name: "engine on " + name, managed: true, run: func(ctx context.Context, fn func(context.Context, unitTx) error) error {
			return e.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error { return fn(ctx, unitEngine{tx}) })
		}},
		{name: "maker on " + name, managed: true, run: func(ctx context.Context, fn func(context.Context, unitTx) error) error {
			return m.Run(ctx, func(ctx context.Context, s *proxy.Session) error { return fn(ctx, unitSession{s}) })
		}},
	}
}

// unitWorld is a database on which units run in every way there is, and an
// outsider who counts what they have committed.
type unitWorld struct {
	runners []unitRunner
	outside *sqldb.DB
	// conflict is a statement whose failure makes a unit worth replaying, to the
	// server and to the driver.
	conflict string
}

// committed returns how many rows units have left since it was last called.
func (w *unitWorld) committed(t *testing.T) int {
	t.Helper()
	n := scalar[int](t, w.outside, "SELECT count(*) FROM work")
	mustExec(t, w.outside, "DELETE FROM work")
	return n
}

// eager retries without a pause or a budget.
func eager() sp.Interceptor {
	return must(retry.New(retry.WithBackoff(retry.Contention, 0, 0), retry.WithoutBudget()))
}

func postgresUnits(t *testing.T) *unitWorld {
	t.Helper()
	db := dbtest.Postgres(t).Database(t)
	w := &unitWorld{
		outside:  openDSN(t, "pgx", db.DSN()),
		conflict: "DO $$ BEGIN RAISE EXCEPTION 'a conflict' USING ERRCODE = '40001'; END $$",
	}
	mustExec(t, w.outside, "CREATE TABLE work (n INT)")
	pool := must(pgxdb.NewPool(t.Context(), db.URL(), sp.NewChain(eager())))
	t.Cleanup(pool.Close)
	w.runners = append(w.runners,
		sqlUnits("sqldb with pgx", openDSN(t, "pgx", db.DSN(), eager())),
		sqlUnits("sqldb with lib/pq", openDSN(t, "postgres", db.DSN(), eager())),
		unitRunner{name: "pgxdb", run: func(ctx context.Context, fn func(context.Context, unitTx) error) error {
			return pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error { return fn(ctx, unitPgx{tx}) })
		}},
	)
	w.runners = append(w.runners, engineUnits("PostgreSQL", openEngine(t, db.URL(), engine.WithChain(sp.NewChain(eager()))))...)
	return w
}

func mariadbUnits(t *testing.T) *unitWorld {
	t.Helper()
	db := dbtest.MariaDB(t).Database(t)
	w := &unitWorld{
		outside:  openDSN(t, "mysql", db.DSN()),
		conflict: "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
	}
	mustExec(t, w.outside, "CREATE TABLE work (n INT)", "CREATE PROCEDURE half() BEGIN INSERT INTO work VALUES (1); COMMIT; END")
	w.runners = append(w.runners, sqlUnits("sqldb", openDSN(t, "mysql", db.DSN(), eager())))
	w.runners = append(w.runners, engineUnits("MariaDB", openEngine(t, db.URL(), engine.WithChain(sp.NewChain(eager()))))...)
	return w
}

var (
	errRefusal = errors.New("there is not enough money")
	insertWork = "INSERT INTO work VALUES (1)"
)

// flat is an error whose text is all that is left of err.
func flat(err error) error { return fmt.Errorf("write: %v", err) }

// unitCase is a function of a unit and what is to become of it. The function is
// told which run it is.
type unitCase struct {
	name      string
	fn        func(ctx context.Context, w *unitWorld, tx unitTx, run int) error
	runs      int
	committed int
	fails     bool
	onlyOwn   bool // of attachments whose transaction the function can end
}

func (c unitCase) test(t *testing.T, w *unitWorld, r unitRunner) {
	if c.onlyOwn && r.managed {
		return
	}
	runs := 0
	var last error
	err := r.run(t.Context(), func(ctx context.Context, tx unitTx) error {
		runs++
		last = c.fn(ctx, w, tx, runs)
		return last
	})
	committed := w.committed(t)
	if runs != c.runs || committed != c.committed || (err != nil) != c.fails {
		t.Errorf("%s: %s: %d runs have committed %d rows: %v; want %d and %d", r.name, c.name, runs, committed, err, c.runs, c.committed)
	}
	if c.fails && last != nil && err != last {
		t.Errorf("%s: %s: %v, which is not what the function returned: %v", r.name, c.name, err, last)
	}
}

var flatCases = []unitCase{
	{name: "a fault in its place", runs: 2, committed: 1, fn: func(ctx context.Context, w *unitWorld, tx unitTx, run int) error {
		return conflictOnce(ctx, w, tx, run, func(err error) error { return err })
	}},
	{name: "a flattened fault", runs: 2, committed: 1, fn: func(ctx context.Context, w *unitWorld, tx unitTx, run int) error {
		return conflictOnce(ctx, w, tx, run, flat)
	}},
	{name: "a fault behind an error of the domain", runs: 2, committed: 1, fn: func(ctx context.Context, w *unitWorld, tx unitTx, run int) error {
		return conflictOnce(ctx, w, tx, run, func(error) error { return errRefusal })
	}},
	{name: "a fault that was ignored", runs: 2, committed: 1, fn: func(ctx context.Context, w *unitWorld, tx unitTx, run int) error {
		return conflictOnce(ctx, w, tx, run, func(error) error { return nil })
	}},
	{name: "the error after the fault, flattened", runs: 2, committed: 1, fn: func(ctx context.Context, w *unitWorld, tx unitTx, run int) error {
		_ = conflictOnce(ctx, w, tx, run, flat)
		if run > 1 {
			return nil
		}
		return flat(tx.exec(ctx, insertWork))
	}},
	{name: "a refusal without a fault", runs: 1, fails: true, fn: func(ctx context.Context, _ *unitWorld, tx unitTx, _ int) error {
		return errors.Join(tx.exec(ctx, insertWork), errRefusal)
	}},
}

// savepointCases need a database that goes on after a savepoint is rolled back.
var savepointCases = []unitCase{
	{name: "a refusal after a fault that was undone", runs: 1, fails: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, _ int) error {
		if err := tx.exec(ctx, "SAVEPOINT a"); err != nil {
			return err
		}
		_ = tx.exec(ctx, w.conflict)
		if err := tx.exec(ctx, "ROLLBACK TO SAVEPOINT a"); err != nil {
			return err
		}
		return errRefusal
	}},
}

var endCases = []unitCase{
	{name: "commit, nil", runs: 1, committed: 1, onlyOwn: true, fn: func(ctx context.Context, _ *unitWorld, tx unitTx, _ int) error {
		if err := tx.exec(ctx, insertWork); err != nil {
			return err
		}
		return tx.commit(ctx)
	}},
	{name: "commit, then a fault", runs: 1, committed: 1, fails: true, onlyOwn: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, _ int) error {
		if err := errors.Join(tx.exec(ctx, insertWork), tx.commit(ctx)); err != nil {
			return err
		}
		_, err := w.outside.ExecContext(ctx, w.conflict)
		return err
	}},
	{name: "rollback, nil", runs: 1, onlyOwn: true, fn: func(ctx context.Context, _ *unitWorld, tx unitTx, _ int) error {
		return errors.Join(tx.exec(ctx, insertWork), tx.rollback(ctx))
	}},
	{name: "rollback after a fault", runs: 2, committed: 1, onlyOwn: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, run int) error {
		err := conflictOnce(ctx, w, tx, run, flat)
		if err != nil {
			_ = tx.rollback(ctx)
		}
		return err
	}},
	{name: "COMMIT as text, nil", runs: 1, committed: 1, onlyOwn: true, fn: func(ctx context.Context, _ *unitWorld, tx unitTx, _ int) error {
		return errors.Join(tx.exec(ctx, insertWork), tx.exec(ctx, "COMMIT"))
	}},
	{name: "COMMIT as text, then a fault", runs: 1, committed: 1, fails: true, onlyOwn: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, _ int) error {
		if err := errors.Join(tx.exec(ctx, insertWork), tx.exec(ctx, "commit")); err != nil {
			return err
		}
		return tx.exec(ctx, w.conflict)
	}},
	{name: "COMMIT AND CHAIN, then a fault", runs: 1, committed: 1, fails: true, onlyOwn: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, _ int) error {
		if err := errors.Join(tx.exec(ctx, insertWork), tx.exec(ctx, "/* on */ COMMIT AND CHAIN")); err != nil {
			return err
		}
		return tx.exec(ctx, w.conflict)
	}},
}

// conflictOnce inserts a row and, in the first run, makes the transaction fail.
func conflictOnce(ctx context.Context, w *unitWorld, tx unitTx, run int, say func(error) error) error {
	if err := tx.exec(ctx, insertWork); err != nil {
		return err
	}
	if run > 1 {
		return nil
	}
	err := tx.exec(ctx, w.conflict)
	if err == nil {
		return errors.New("the conflict did not come")
	}
	return say(err)
}

func TestAUnitIsJudgedByTheFaultItsFunctionHides(t *testing.T) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		w := postgresUnits(t)
		for _, r := range w.runners {
			for _, c := range append(flatCases, savepointCases...) {
				c.test(t, w, r)
			}
		}
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		w := mariadbUnits(t)
		for _, r := range w.runners {
			for _, c := range flatCases {
				c.test(t, w, r)
			}
		}
	})
}

// TestAFaultThatTheFunctionWentOnAfterDoesNotCount holds that of two readings of
// an error of the domain the careful one is taken: a lock that was not to be had
// leaves MariaDB's transaction alone, and the function has gone on in it.
func TestAFaultThatTheFunctionWentOnAfterDoesNotCount(t *testing.T) {
	t.Parallel()
	w := mariadbUnits(t)
	lockTimeout := "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205"
	for _, r := range w.runners {
		unitCase{name: "went on", runs: 1, fails: true, fn: func(ctx context.Context, _ *unitWorld, tx unitTx, _ int) error {
			if tx.exec(ctx, lockTimeout) == nil {
				return nil
			}
			if err := tx.exec(ctx, insertWork); err != nil {
				return fmt.Errorf("the transaction is gone: %w", err)
			}
			return errRefusal
		}}.test(t, w, r)
	}
}

func TestAUnitWhoseFunctionEndsItIsNotReplayed(t *testing.T) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		w := postgresUnits(t)
		for _, r := range w.runners {
			for _, c := range endCases {
				c.test(t, w, r)
			}
		}
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		w := mariadbUnits(t)
		implicit := []unitCase{
			{name: "an implicit commit, then a fault", runs: 1, committed: 1, fails: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, _ int) error {
				if err := errors.Join(tx.exec(ctx, insertWork), tx.exec(ctx, "CREATE TABLE IF NOT EXISTS other (n INT)")); err != nil {
					return err
				}
				return tx.exec(ctx, w.conflict)
			}},
			{name: "a procedure that commits, then a fault", runs: 1, committed: 1, fails: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, _ int) error {
				if err := tx.exec(ctx, "CALL half()"); err != nil {
					return err
				}
				return tx.exec(ctx, w.conflict)
			}},
			{name: "autocommit switched on, then a fault", runs: 1, committed: 1, fails: true, fn: func(ctx context.Context, w *unitWorld, tx unitTx, _ int) error {
				if err := errors.Join(tx.exec(ctx, insertWork), tx.exec(ctx, "SET autocommit = 0"), tx.exec(ctx, "SET autocommit = 1")); err != nil {
					return err
				}
				return tx.exec(ctx, w.conflict)
			}},
		}
		for _, r := range w.runners {
			for _, c := range append(endCases, implicit...) {
				c.test(t, w, r)
			}
		}
	})
}

// TestAUnitsTransactionIsManaged holds that what can't end a unit is refused, by
// method and by text, and that the unit goes on.
func TestAUnitsTransactionIsManaged(t *testing.T) {
	t.Parallel()
	w := postgresUnits(t)
	for _, r := range w.runners {
		if !r.managed {
			continue
		}
		for _, text := range []string{"COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "SELECT 1; COMMIT", "END"} {
			unitCase{name: text, runs: 1, committed: 1, fn: func(ctx context.Context, _ *unitWorld, tx unitTx, _ int) error {
				if err := tx.exec(ctx, text); !errors.Is(err, engine.ErrTransactionManaged) {
					t.Errorf("%s: %s: %v", r.name, text, err)
				}
				return tx.exec(ctx, insertWork)
			}}.test(t, w, r)
		}
		err := r.run(t.Context(), func(ctx context.Context, tx unitTx) error { return tx.commit(ctx) })
		if !errors.Is(err, engine.ErrTransactionManaged) {
			t.Errorf("%s: commit: %v", r.name, err)
		}
		err = r.run(t.Context(), func(ctx context.Context, tx unitTx) error { return tx.rollback(ctx) })
		if !errors.Is(err, engine.ErrTransactionManaged) {
			t.Errorf("%s: rollback: %v", r.name, err)
		}
	}
}
