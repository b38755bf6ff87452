package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// What statements by names do is held for statements that were prepared through the
// chain, beside it, and by a text.

const (
	chainCommit = "COMMIT AND CHAIN"
	conflictSQL = "DO $$ BEGIN RAISE EXCEPTION 'a conflict' USING ERRCODE = '40001'; END $$"
)

// rewriter is a [pgx.QueryRewriter] of a user: a text is the key of a statement.
type rewriter map[string]string

func (r rewriter) RewriteQuery(_ context.Context, _ *pgx.Conn, text string, args []any) (string, []any, error) {
	return r[text], args, nil
}

// sendNamed are the ways of sending a statement in a transaction.
var sendNamed = map[string]func(ctx context.Context, tx pgx.Tx, text string, args ...any) error{
	"Exec": func(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
		_, err := tx.Exec(ctx, text, args...)
		return err
	},
	"Query": func(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
		rows, err := tx.Query(ctx, text, args...)
		rows.Close()
		return errors.Join(err, rows.Err())
	},
	"QueryRow": func(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
		if err := tx.QueryRow(ctx, text, args...).Scan(); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	},
	"a batch, first": func(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
		b := &pgx.Batch{}
		b.Queue(text, args...)
		b.Queue("SELECT 1")
		return tx.SendBatch(ctx, b).Close()
	},
	"a batch, last": func(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
		b := &pgx.Batch{}
		b.Queue("SELECT 1").QueryRow(func(row pgx.Row) error {
			var n int
			return row.Scan(&n)
		})
		b.Queue("SELECT 2")
		b.Queue(text, args...).Exec(func(pgconn.CommandTag) error { return nil })
		return tx.SendBatch(ctx, b).Close()
	},
	"a batch, one by one": func(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
		b := &pgx.Batch{}
		b.Queue("SELECT 1")
		b.Queue(text, args...)
		r := tx.SendBatch(ctx, b)
		_, err := r.Exec()
		rows, qerr := r.Query()
		rows.Close()
		return errors.Join(err, qerr, rows.Err(), r.Close())
	},
	"a savepoint": func(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
		inner, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err = inner.Exec(ctx, text, args...); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "SELECT 1")
		return err
	},
}

// prepareNamed are the ways in which a statement gets another text.
// It is to be called by a name of its own.
var prepareNamed = map[string]func(ctx context.Context, tx pgx.Tx, own, text string) (name string, args []any, err error){
	"prepared": func(ctx context.Context, tx pgx.Tx, own, text string) (string, []any, error) {
		_, err := tx.Prepare(ctx, own, text)
		return own, nil, err
	},
	"prepared under a name that reads like another statement": func(ctx context.Context, tx pgx.Tx, own, text string) (string, []any, error) {
		_, err := tx.Prepare(ctx, "select "+own, text)
		return "select " + own, nil, err
	},
	"prepared beside the chain": func(ctx context.Context, tx pgx.Tx, own, text string) (string, []any, error) {
		_, err := tx.Conn().Prepare(ctx, own, text)
		return own, nil, err
	},
	"prepared beside the chain, like another statement": func(ctx context.Context, tx pgx.Tx, own, text string) (string, []any, error) {
		_, err := tx.Conn().Prepare(ctx, "select "+own, text)
		return "select " + own, nil, err
	},
	"EXECUTE": func(ctx context.Context, tx pgx.Tx, own, text string) (string, []any, error) {
		_, err := tx.Conn().Prepare(ctx, own, text)
		return "EXECUTE " + own, nil, err
	},
	"rewritten": func(_ context.Context, _ pgx.Tx, _, text string) (string, []any, error) {
		return "select it", []any{rewriter{"select it": text}}, nil
	},
}

// TestAUnitNoticesWhatANameDoesToItsTransaction has a unit commit by a statement of
// which the unit's code shows a name only, and then fail: what was committed is
// not done again. A statement that keeps the transaction leaves the unit to be
// replayed.
func TestAUnitNoticesWhatANameDoesToItsTransaction(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t).Database(t)
	pool := must(pgxdb.NewPool(t.Context(), db.URL("pool_max_conns=2"), sp.NewChain(eager())))
	t.Cleanup(pool.Close)
	mustPgx(t, pool, "CREATE TABLE work (n int)")
	cases := 0
	for way, prepare := range prepareNamed {
		for how, send := range sendNamed {
			for text, want := range map[string]struct{ runs, rows int }{
				chainCommit:                 {1, 1},
				insertWork:                  {2, 2},
				"UPDATE work SET n = n + 1": {2, 1},
			} {
				cases++
				runs, own := 0, fmt.Sprintf("p%d", cases)
				err := pool.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
					runs++
					name, args, err := prepare(ctx, tx, own, text)
					if err != nil {
						return err
					}
					if _, err = tx.Exec(ctx, insertWork); err != nil {
						return err
					}
					if err = send(ctx, tx, name, args...); err != nil {
						return err
					}
					if runs == 1 {
						_, err = tx.Exec(ctx, conflictSQL)
					}
					return err
				})
				var rows int
				if serr := pool.Unwrap().QueryRow(t.Context(), "SELECT count(*) FROM work").Scan(&rows); serr != nil {
					t.Fatal(serr)
				}
				mustPgx(t, pool, "DELETE FROM work")
				if runs != want.runs || rows != want.rows {
					t.Errorf("%s, %s by %s: %d runs have committed %d rows: %v; want %+v", text, way, how, runs, rows, err, want)
				}
			}
		}
	}
}

// TestANameIsRepeatedAsItsStatementIs sends by a name what fails once, by a conflict
// that undoes it, and has written down that it ran.
func TestANameIsRepeatedAsItsStatementIs(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t).Database(t)
	config := must(pgxpool.ParseConfig(db.URL("pool_max_conns=1")))
	pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(eager())))
	t.Cleanup(pool.Close)
	mustPgx(t, pool, "CREATE SEQUENCE runs")
	mustPgx(t, pool, `CREATE FUNCTION once() RETURNS int LANGUAGE plpgsql AS $$
		BEGIN IF nextval('runs') % 2 = 1 THEN RAISE EXCEPTION 'a conflict' USING ERRCODE = '40001'; END IF; RETURN 1; END $$`)
	mustPgx(t, pool, "CREATE PROCEDURE onceonly() LANGUAGE plpgsql AS $$ BEGIN PERFORM once(); END $$")
	const atomic, other = "SELECT once()", "CALL onceonly()"
	for _, c := range []struct {
		name     string
		prepare  func(ctx context.Context, c *pgxdb.PoolConn, text string) error
		repeated bool // if the text is atomic
	}{
		{"through the chain", func(ctx context.Context, c *pgxdb.PoolConn, text string) error {
			_, err := c.Prepare(ctx, "p", text)
			return err
		}, true},
		{"beside the chain", func(ctx context.Context, c *pgxdb.PoolConn, text string) error {
			_, err := c.Conn().Prepare(ctx, "p", text)
			return err
		}, false},
	} {
		for text, can := range map[string]bool{atomic: true, other: false} {
			err := pool.AcquireFunc(t.Context(), func(conn *pgxdb.PoolConn) error {
				if err := c.prepare(t.Context(), conn, text); err != nil {
					t.Fatal(err)
				}
				defer conn.Deallocate(t.Context(), "p")
				_, err := conn.Exec(t.Context(), "p")
				return err
			})
			if repeated := err == nil; repeated != (can && c.repeated) {
				t.Errorf("%s, prepared %s: repeated %t: %v", text, c.name, repeated, err)
			}
			mustPgx(t, pool, "ALTER SEQUENCE runs RESTART")
			err = pool.AcquireFunc(t.Context(), func(conn *pgxdb.PoolConn) error {
				if err := c.prepare(t.Context(), conn, text); err != nil {
					t.Fatal(err)
				}
				defer conn.Deallocate(t.Context(), "p")
				b := &pgx.Batch{}
				b.Queue("p")
				b.Queue("SELECT 1")
				return conn.SendBatch(t.Context(), b).Close()
			})
			if repeated := err == nil; repeated != (can && c.repeated) {
				t.Errorf("%s, prepared %s, in a batch: repeated %t: %v", text, c.name, repeated, err)
			}
			mustPgx(t, pool, "ALTER SEQUENCE runs RESTART")
		}
	}
	for text, can := range map[string]bool{atomic: true, other: false} {
		_, err := pool.Exec(t.Context(), "select it", rewriter{"select it": text})
		if repeated := err == nil; repeated != can {
			t.Errorf("%s, rewritten: repeated %t: %v", text, repeated, err)
		}
		mustPgx(t, pool, "ALTER SEQUENCE runs RESTART")
	}
}

func mustPgx(t *testing.T, pool *pgxdb.Pool, text string) {
	t.Helper()
	if _, err := pool.Unwrap().Exec(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
