package pgxdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// modes are the ways in which pgx sends statements.
var modes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

// TestABatchIsSentAnew kills the connection before a batch is sent, or while its
// first statement runs, and expects that the second attempt succeeds.
func TestABatchIsSentAnew(t *testing.T) {
	t.Parallel()
	base := dbtest.Postgres(t).Database(t)
	admin := poolOf(t, base.URL())
	exec(t, admin, "CREATE SEQUENCE once")
	exec(t, admin, `CREATE FUNCTION die_once(x int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('once') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); END IF; RETURN x; END $$`)
	for _, mode := range modes {
		for _, idle := range []bool{true, false} {
			name := fmt.Sprint(mode, ", killed while idle: ", idle)
			rec := &recorder{}
			again := must(retry.New(retry.WithBackoff(retry.Connection, 0, 0)))
			pool := poolOf(t, base.URL("pool_max_conns=2", "default_query_exec_mode="+mode), again, rec)
			var pid int
			if err := pool.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				t.Fatal(err)
			}
			exec(t, admin, "SELECT setval('once', 1, $1)", idle) // called: it dies no more
			if idle {
				exec(t, admin, "SELECT pg_terminate_backend($1, 10000)", pid)
			}
			rec.take()
			heard := 0
			b := &pgx.Batch{}
			b.Queue("SELECT die_once($1::int)", 7).QueryRow(func(row pgx.Row) error {
				heard++
				var n int
				if err := row.Scan(&n); err != nil || n != 7 {
					return fmt.Errorf("%d: %w", n, err)
				}
				return nil
			})
			b.Queue("SELECT @a::text", pgx.NamedArgs{"a": "x"})
			if err := pool.SendBatch(sp.WithReadOnly(t.Context()), b).Close(); err != nil || heard != 1 {
				t.Errorf("%s: heard %d, %v", name, heard, err)
			}
			calls := rec.take()
			asked := idle && len(calls) == 1 // by pgxpool itself, as it does what was idle for a second
			if last := len(calls) - 1; !asked && (last != 1 || calls[0].err == nil) || calls[last].err != nil {
				t.Errorf("%s: the chain saw %+v", name, calls)
			}
			if b.QueuedQueries[1].SQL != "SELECT @a::text" {
				t.Error("the caller's batch was changed to", b.QueuedQueries[1].SQL)
			}
			sound(t, pool)
		}
	}
}

// shout is a rewriter that writes into what it is given.
type shout struct{ fail *int }

func (s shout) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, args []any) (string, []any, error) {
	args[0] = args[0].(string) + "!"
	if *s.fail > 0 {
		*s.fail--
		return "SELECT $1::text, 1/0", args, nil
	}
	return sql, args, nil
}

func TestArgumentsAreThoseOfTheCallerInEveryAttempt(t *testing.T) {
	t.Parallel()
	for _, op := range []sp.Op{sp.OpQuery, sp.OpExec, sp.OpBatch} {
		pool, _ := newPool(t, attempts(3, op))
		fail := 2
		args := []any{pgx.QueryExecModeCacheDescribe, shout{&fail}, "hello"}
		if op == sp.OpBatch {
			args = args[1:]
		}
		var err error
		got := "hello!"
		const text = "SELECT $1::text"
		switch op {
		case sp.OpQuery:
			err = pool.QueryRow(t.Context(), text, args...).Scan(&got)
		case sp.OpExec:
			exec(t, pool, "CREATE TABLE said (w text)")
			fail = 2
			_, err = pool.Exec(t.Context(), "INSERT INTO said VALUES ($1::text)", args...)
			_ = pool.Unwrap().QueryRow(t.Context(), "SELECT w FROM said").Scan(&got)
		case sp.OpBatch:
			b := &pgx.Batch{}
			b.Queue(text, args...)
			r := pool.SendBatch(t.Context(), b)
			err = errors.Join(r.QueryRow().Scan(&got), r.Close())
		}
		if err != nil || got != "hello!" || fail != 0 {
			t.Errorf("%v: %q, %d, %v", op, got, fail, err)
		}
		if said := args[len(args)-1]; said != "hello" {
			t.Errorf("%v: the caller's argument became %v", op, said)
		}
	}
}

// TestCallbacksOfABatchRunOnce: an attempt that failed or was refused is heard of
// by nobody, and a function that was queued late is heard.
func TestCallbacksOfABatchRunOnce(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		url := dbtest.Postgres(t).Database(t).URL("default_query_exec_mode=" + mode)
		for name, links := range map[string][]sp.Interceptor{
			"refused": {refuse(sp.OpBatch, true, errRefused)},
			"tried":   {attempts(3, sp.OpBatch)},
			"neither": {&recorder{}},
		} {
			pool := poolOf(t, url, links...)
			heard := [2]int{}
			b := &pgx.Batch{}
			first, second := b.Queue("SELECT 1"), b.Queue("SELECT 2")
			first.QueryRow(func(row pgx.Row) error { heard[0]++; return row.Scan(nil) })
			r := pool.SendBatch(t.Context(), b)
			second.QueryRow(func(row pgx.Row) error { heard[1]++; return row.Scan(nil) })
			err := r.Close()
			want := [2]int{1, 1}
			if name == "refused" {
				want = [2]int{}
			}
			if heard != want || (err != nil) != (name == "refused") {
				t.Errorf("%s, %s: heard %v, %v", mode, name, heard, err)
			}
			sound(t, pool)
		}
	}
}
