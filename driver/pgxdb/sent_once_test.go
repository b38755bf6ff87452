package pgxdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/pgscript"
	"github.com/sessionproxy/sessionproxy/retry"
)

// scripted returns a pool of a scripted back end behind a retry, with one
// connection that is open.
func scripted(t *testing.T, s *pgscript.Server, mode string) *pgxdb.Pool {
	t.Helper()
	pool := poolOf(t, s.URL()+"&pool_max_conns=1&default_query_exec_mode="+mode, must(retry.New(retry.WithAttempts(5))))
	if err := pool.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return pool
}

// eachDeath runs test for each protocol, each moment at which the back end can
// die, and each way.
func eachDeath(t *testing.T, moments []pgscript.Moment, test func(t *testing.T, s *pgscript.Server, pool *pgxdb.Pool, moment pgscript.Moment, reset bool)) {
	t.Helper()
	for _, mode := range []string{"simple_protocol", "cache_statement", "exec"} {
		for _, moment := range moments {
			for _, reset := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/reset=%t", mode, moment, reset), func(t *testing.T) {
					t.Parallel()
					s := pgscript.Start(t)
					test(t, s, scripted(t, s, mode), moment, reset)
				})
			}
		}
	}
}

var deaths = []pgscript.Moment{pgscript.OnQuery, pgscript.InRows, pgscript.AfterAnswer}

// TestADyingServerGetsAWriteOnce is about pgx 5.9 to 5.12 calling an error safe
// to retry although the statement was sent.
func TestADyingServerGetsAWriteOnce(t *testing.T) {
	t.Parallel()
	eachDeath(t, deaths, func(t *testing.T, s *pgscript.Server, pool *pgxdb.Pool, moment pgscript.Moment, reset bool) {
		t.Helper()
		s.DieAt(moment, "UPDATE", reset)
		_, err := pool.Exec(t.Context(), "UPDATE counters SET n = n + 1 RETURNING n")
		if err == nil && moment == pgscript.OnQuery {
			t.Error("no error")
		}
		if n := s.Received("UPDATE"); n != 1 {
			t.Errorf("the server got the write %d times, error %v", n, err)
		}
		if _, err := pool.Exec(t.Context(), "INSERT INTO t VALUES (1)"); err != nil && moment != pgscript.AfterAnswer {
			t.Errorf("the next statement: %v", err)
		}
	})
}

// TestAWriteReadAsRowsIsSentOnce is the same through Query, whose error comes
// with the first row.
func TestAWriteReadAsRowsIsSentOnce(t *testing.T) {
	t.Parallel()
	eachDeath(t, []pgscript.Moment{pgscript.OnQuery, pgscript.InRows}, func(t *testing.T, s *pgscript.Server, pool *pgxdb.Pool, moment pgscript.Moment, reset bool) {
		t.Helper()
		s.DieAt(moment, "UPDATE", reset)
		rows, err := pool.Query(t.Context(), "UPDATE counters SET n = n + 1 RETURNING n")
		for rows.Next() {
		}
		if err == nil && rows.Err() == nil {
			t.Error("no error")
		}
		if n := s.Received("UPDATE"); n != 1 {
			t.Errorf("the server got the write %d times, error %v", n, err)
		}
	})
}

func TestAMarkedWriteIsSentAgain(t *testing.T) {
	t.Parallel()
	eachDeath(t, []pgscript.Moment{pgscript.OnQuery}, func(t *testing.T, s *pgscript.Server, pool *pgxdb.Pool, moment pgscript.Moment, reset bool) {
		t.Helper()
		s.DieAt(moment, "UPDATE", reset)
		if _, err := pool.Exec(sp.WithIdempotent(t.Context()), "UPDATE counters SET n = 7"); err != nil || s.Received("UPDATE") != 2 {
			t.Errorf("received %d times, error %v", s.Received("UPDATE"), err)
		}
	})
}

// TestACommitIsSentOnce holds the rule that a COMMIT whose answer was lost is
// reported and never repeated, nor its unit.
func TestACommitIsSentOnce(t *testing.T) {
	t.Parallel()
	eachDeath(t, []pgscript.Moment{pgscript.OnQuery, pgscript.AfterAnswer}, func(t *testing.T, s *pgscript.Server, pool *pgxdb.Pool, moment pgscript.Moment, reset bool) {
		t.Helper()
		s.DieAt(moment, "commit", reset)
		runs := 0
		err := pool.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			runs++
			_, err := tx.Exec(ctx, "UPDATE counters SET n = n + 1")
			return err
		})
		if moment == pgscript.OnQuery && !errors.Is(err, sp.ErrCommitUnknown) || runs != 1 || s.Received("commit") != 1 {
			t.Errorf("%d runs, COMMIT received %d times, error %v", runs, s.Received("commit"), err)
		}
		if err != nil && !errors.Is(err, sp.ErrCommitUnknown) {
			t.Errorf("the answer may have been lost, and the error does not say so: %v", err)
		}
	})
}

// TestADeadConnectionIsNoDoubt is the other side: what was dead before the
// call has sent nothing.
func TestADeadConnectionIsNoDoubt(t *testing.T) {
	t.Parallel()
	s := pgscript.Start(t)
	pool := scripted(t, s, "simple_protocol")
	c := must(pool.Acquire(t.Context()))
	defer c.Release()
	if err := c.Unwrap().Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := &recorder{}
	dead := must(pgxdb.WrapConn(c.Unwrap(), sp.NewChain(rec)))
	if _, err := dead.Exec(t.Context(), "UPDATE counters SET n = n + 1"); err == nil {
		t.Fatal("no error")
	}
	if calls := rec.take(); calls[0].retry != "reconnect" {
		t.Errorf("the verdict allows %q, want a reconnect", calls[0].retry)
	}
}
