package sptest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/sptest"
	"github.com/sessionproxy/sessionproxy/sptest/pgxfaults"
)

// openPgx opens a pool on a fresh table of a PostgreSQL server.
func openPgx(dsn string) func(t testing.TB, faults *sptest.Faults) *pgxdb.Pool {
	return func(t testing.TB, faults *sptest.Faults) *pgxdb.Pool {
		again, err := retry.New(retry.WithBackoff(retry.Contention, 0, 0), retry.WithBackoff(retry.Connection, 0, 0), retry.WithBackoff(retry.Overload, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		pool, err := pgxdb.NewPool(t.Context(), dsn, sessionproxy.NewChain(again, faults))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		for _, text := range []string{"DROP TABLE IF EXISTS entry", "CREATE TABLE entry (n int)"} {
			if _, err := pool.Exec(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		return pool
	}
}

// rounds counts what a unit has inserted: three rows each time.
func rounds(ctx context.Context, p *pgxdb.Pool) (n int, err error) {
	err = p.QueryRow(ctx, "SELECT count(*) FROM entry").Scan(&n)
	if err == nil && n%3 != 0 {
		err = errors.New("a unit has left a part of its work")
	}
	return n / 3, err
}

func TestPgxUnitsStandEveryFault(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]func(ctx context.Context, tx pgx.Tx) error{
		"statements": func(ctx context.Context, tx pgx.Tx) error {
			for range 3 {
				if _, err := tx.Exec(ctx, "INSERT INTO entry VALUES ($1)", 1); err != nil {
					return err
				}
			}
			rows, err := tx.Query(ctx, "SELECT n FROM entry")
			if err != nil {
				return err
			}
			_, err = pgx.CollectRows(rows, pgx.RowTo[int])
			return err
		},
		"savepoint": func(ctx context.Context, tx pgx.Tx) error {
			inner, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			if _, err := inner.Exec(ctx, "INSERT INTO entry VALUES (1), (2), (3)"); err != nil {
				return errors.Join(err, inner.Rollback(ctx))
			}
			return inner.Commit(ctx)
		},
		"batch": func(ctx context.Context, tx pgx.Tx) error {
			b := &pgx.Batch{}
			for i := range 3 {
				b.Queue("INSERT INTO entry VALUES ($1)", i)
			}
			return tx.SendBatch(ctx, b).Close()
		},
		"copy": func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"entry"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sptest.EveryFault(t, pgxfaults.New(t).Faults(), openPgx(dbtest.Postgres(t).Database(t).URL()),
				func(ctx context.Context, p *pgxdb.Pool) error { return p.RunInTx(ctx, pgx.TxOptions{}, unit) }, rounds)
		})
	}
}

// A unit that swallows an error ends as on a real server, which commits nothing after
// one.
func TestPostgresCommitsNothingAfterAFault(t *testing.T) {
	t.Parallel()
	e := pgxfaults.New(t)
	faults := &sptest.Faults{}
	p := openPgx(dbtest.Postgres(t).Database(t).URL())(t, faults)
	err := p.RunInTx(sessionproxy.WithNoRetry(t.Context()), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		next(t, faults, e.Unique())
		_, _ = tx.Exec(ctx, "INSERT INTO entry VALUES (1)")
		_, err := tx.Exec(ctx, "INSERT INTO entry VALUES (2)")
		if err == nil {
			t.Error("a statement succeeds in a transaction that has failed")
		}
		return nil
	})
	if err == nil {
		t.Error("the transaction is committed")
	}
	for _, c := range []struct {
		fault sptest.Fault
		done  int
	}{{e.CommitLostAfter(), 1}, {e.CommitLostBefore(), 0}} {
		p := openPgx(dbtest.Postgres(t).Database(t).URL())(t, faults)
		next(t, faults, c.fault)
		err := p.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO entry VALUES (1), (2), (3)")
			return err
		})
		if n, cerr := rounds(t.Context(), p); !errors.Is(err, sessionproxy.ErrCommitUnknown) || n != c.done || cerr != nil {
			t.Errorf("%s: %v, done %d times, want %d: %v", c.fault.Name, err, n, c.done, cerr)
		}
	}
}
