package pgxdb_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// traced returns a pool of pgx's own with a tracer.
func traced(t *testing.T, url string, chain sp.Chain, opts ...pgxdb.Option) *pgxpool.Pool {
	t.Helper()
	config := must(pgxpool.ParseConfig(url))
	config.ConnConfig.Tracer = must(pgxdb.NewTracer(chain, opts...))
	pool := must(pgxpool.NewWithConfig(t.Context(), config))
	t.Cleanup(pool.Close)
	return pool
}

// use does with a pool what services do.
func use(t *testing.T, pool beginner) {
	t.Helper()
	ctx := t.Context()
	exec(t, pool, "CREATE TABLE t (n int PRIMARY KEY)")
	exec(t, pool, "INSERT INTO t SELECT generate_series(1, $1::int)", 3)
	rows := must(pool.Query(ctx, "SELECT n FROM t ORDER BY n"))
	if got, err := pgx.CollectRows(rows, pgx.RowTo[int]); err != nil || len(got) != 3 {
		t.Error(got, err)
	}
	_ = pool.QueryRow(ctx, "-- name: Max :one\nSELECT max(n) FROM t").Scan(nil)
	_ = pool.QueryRow(ctx, "SELECT 1/0").Scan(nil)
	_ = pool.QueryRow(ctx, "SELEC 1").Scan(nil)
	_, _ = pool.Exec(ctx, "INSERT INTO t VALUES ($1)", 1)
	_, _ = pool.Exec(ctx, "INSERT INTO t VALUES ($1)", struct{ A int }{})
	_ = pool.SendBatch(ctx, batch("SELECT 1", "SELECT 2")).Close()
	_ = pool.SendBatch(ctx, batch("SELECT 1", "SELECT 1/0")).Close()
	_ = pool.SendBatch(ctx, batch("SELEC 1")).Close()
	_, _ = pool.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n"}, &numbers{n: 9, next: 3})
	_, _ = pool.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n"}, &numbers{n: 9})
	_, _ = pool.CopyFrom(ctx, pgx.Identifier{"missing"}, []string{"n"}, &numbers{n: 9})
	for _, end := range []func(pgx.Tx) error{
		func(tx pgx.Tx) error { return tx.Commit(ctx) },
		func(tx pgx.Tx) error { return tx.Rollback(ctx) },
	} {
		tx := must(pool.Begin(ctx))
		exec(t, tx, "UPDATE t SET n = n + 100 WHERE n = 1")
		inner := must(tx.Begin(ctx))
		_, _ = inner.Exec(ctx, "SELECT 1/0")
		_ = inner.Rollback(ctx)
		inner = must(tx.Begin(ctx))
		exec(t, inner, "SELECT 1")
		_ = inner.Commit(ctx)
		if err := end(tx); err != nil {
			t.Error(err)
		}
	}
}

// alike makes calls comparable: what pgx does not tell a tracer is left out.
func alike(calls []seen) (out []seen) {
	for _, c := range calls {
		c.scope, c.step = 0, false
		c.err = nil // which the tracer's core does not have
		if c.end != nil {
			c.end = errors.New(c.end.Error())
		}
		if c.op == sp.OpExec || c.op == sp.OpCopy || c.op == sp.OpQuery || c.op == sp.OpBatch {
			c.affected, c.read = max(c.affected, 0)+c.read, 0
		}
		c.retry = ""
		out = append(out, c)
	}
	return out
}

func TestTheCallsOfATracerAreThoseOfAPool(t *testing.T) {
	t.Parallel()
	ours, theirs := &recorder{}, &recorder{}
	pool := poolOf(t, dbtest.Postgres(t).Database(t).URL("pool_max_conns=1"), ours)
	use(t, pool)
	raw := traced(t, dbtest.Postgres(t).Database(t).URL("pool_max_conns=1"), sp.NewChain(sp.Observing(theirs)))
	use(t, raw)
	want, got := alike(ours.take()), alike(theirs.take())
	if len(got) != len(want) {
		t.Errorf("the tracer saw\n%v\nthe pool\n%v", ops(got), ops(want))
	}
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		gotEnd, wantEnd := told(g.end), told(w.end)
		g.end, w.end = nil, nil
		switch {
		case w.op == sp.OpExec && g.op == sp.OpQuery && strings.HasPrefix(g.text, "SELECT"),
			w.op == sp.OpQuery && g.op == sp.OpExec && g.text == "SELEC 1":
			w.op = g.op // told apart by the text
		}
		if w.op == sp.OpBatch || w.op == g.op && w.op == sp.OpQuery && strings.HasSuffix(g.text, "SELECT 1") {
			g.affected, w.affected = 0, 0 // a pool counts the rows that were read
		}
		if g != w || gotEnd != wantEnd {
			t.Errorf("call %d: the tracer saw %+v (%s)\nthe pool %+v (%s)", i, g, gotEnd, w, wantEnd)
		}
	}
}

func TestATracerRefusesWhatActs(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	chain := sp.NewChain(sp.Observing(rec), must(retry.New()))
	if _, err := pgxdb.NewTracer(chain); err == nil || !strings.Contains(err.Error(), "retry") || strings.Contains(err.Error(), "recorder") {
		t.Error(err)
	}
	if _, err := pgxdb.NewTracer(sp.NewChain(rec)); err == nil || !strings.Contains(err.Error(), "recorder") {
		t.Error(err)
	}
	if _, err := pgxdb.NewTracer(chain.Observers()); err != nil {
		t.Error(err)
	}
	if _, err := pgxdb.NewTracer(sp.Chain{}, pgxdb.WithTarget(sp.Target{})); err == nil {
		t.Error("an impossible option was taken")
	}
}

// TestNothingIsSeenTwice uses a pool of this package and, beside it, pgx's own
// pool below it, which has a tracer.
func TestNothingIsSeenTwice(t *testing.T) {
	t.Parallel()
	for _, several := range []bool{false, true} {
		ours, theirs := &recorder{}, &recorder{}
		config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL("pool_max_conns=2")))
		tracer := must(pgxdb.NewTracer(sp.NewChain(sp.Observing(theirs)), pgxdb.WithAcquireCalls()))
		config.ConnConfig.Tracer = tracer
		if several {
			config.ConnConfig.Tracer = multitracer.New(tracer)
		}
		pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(ours), pgxdb.WithAcquireCalls()))
		t.Cleanup(pool.Close)
		use(t, pool)
		if err := pool.RunInTx(t.Context(), noOptions, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT 1")
			return err
		}); err != nil {
			t.Error(err)
		}
		theirs.mu.Lock()
		n := len(theirs.calls)
		theirs.mu.Unlock()
		if n != 0 || len(ours.take()) == 0 {
			t.Errorf("the tracer saw %v too", ops(theirs.take()))
		}
		exec(t, pool.Unwrap(), "SELECT 1")
		if calls := theirs.take(); !slices.Equal(ops(calls), []sp.Op{sp.OpAcquire, sp.OpQuery}) || len(ours.take()) != 0 {
			t.Errorf("of pgx's own pool the tracer saw %v", ops(calls))
		}
	}
}

func TestATracerSeesConnectionsAndWhatIsPrepared(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	url := dbtest.Postgres(t).Database(t).URL()
	pool := traced(t, url, sp.NewChain(sp.Observing(rec)), pgxdb.WithAcquireCalls())
	open := func(op sp.Op) bool {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		for _, c := range rec.calls {
			if c.op == op {
				return c.finished == 0
			}
		}
		return false
	}
	c := must(pool.Acquire(t.Context()))
	_, err := c.Conn().Prepare(t.Context(), "one", "SELECT 1")
	if err != nil || !open(sp.OpAcquire) {
		t.Error("the connection that was taken is no open call", err)
	}
	exec(t, c, "one")
	exec(t, c, "begin")
	if !open(sp.OpBegin) {
		t.Error("the transaction is no open call")
	}
	c.Release() // the pool closes it: it is in a transaction
	rec.mu.Lock()
	all := slices.Clone(rec.calls)
	rec.mu.Unlock()
	var got []sp.Op
	for _, s := range all {
		if got = append(got, s.op); s.finished != 1 {
			t.Errorf("%v was finished %d times", s.op, s.finished)
		}
	}
	if want := []sp.Op{sp.OpAcquire, sp.OpConnect, sp.OpPrepare, sp.OpExec, sp.OpBegin}; !slices.Equal(got, want) {
		t.Errorf("the tracer saw %v, want %v", got, want)
	}
	bad := must(pgxpool.ParseConfig(url))
	bad.ConnConfig.Tracer = must(pgxdb.NewTracer(sp.NewChain(sp.Observing(rec))))
	bad.ConnConfig.Database = "missing"
	failing := must(pgxpool.NewWithConfig(t.Context(), bad))
	t.Cleanup(failing.Close)
	rec.take()
	if err := failing.Ping(t.Context()); err == nil {
		t.Fatal("a database that does not exist was found")
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.calls) != 1 || rec.calls[0].op != sp.OpConnect || rec.calls[0].err == nil || rec.calls[0].finished != 1 {
		t.Errorf("of a failed connect the tracer saw %+v", rec.calls)
	}
}

func TestATracerBelowDatabaseSQL(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	pool := traced(t, dbtest.Postgres(t).Database(t).URL(), sp.NewChain(sp.Observing(rec)))
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT $1::int", 7).Scan(&n); err != nil || n != 7 {
		t.Fatal(n, err)
	}
	tx := must(db.BeginTx(t.Context(), nil))
	if _, err := tx.ExecContext(t.Context(), "CREATE TABLE t (n int)"); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	wantOps(t, rec.take(), sp.OpQuery, sp.OpBegin, sp.OpExec, sp.OpCommit)
}

// rerun is a rewriter that runs a statement on the connection it is given.
type rerun struct{}

func (rerun) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, args []any) (string, []any, error) {
	_, err := conn.Exec(ctx, "SELECT 2")
	return sql, args, err
}

func TestStatementsWithinStatementsAreCallsOfTheirOwn(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	pool := traced(t, dbtest.Postgres(t).Database(t).URL(), sp.NewChain(sp.Observing(rec)))
	if err := pool.QueryRow(t.Context(), "SELECT 1", rerun{}).Scan(nil); err != nil {
		t.Fatal(err)
	}
	calls := rec.take()
	wantOps(t, calls, sp.OpQuery, sp.OpQuery)
	if calls[0].text != "SELECT 1" || calls[1].text != "SELECT 2" {
		t.Error(calls)
	}
}
