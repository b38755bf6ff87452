package pgxdb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// beginner is what has transactions: a pool or a connection.
type beginner interface {
	dbtx
	Begin(ctx context.Context) (pgx.Tx, error)
	Ping(ctx context.Context) error
}

type rewriter struct {
	sql string
	err error
}

func (r rewriter) RewriteQuery(_ context.Context, _ *pgx.Conn, _ string, args []any) (string, []any, error) {
	return r.sql, args, r.err
}

// failure is a statement that fails, or does not.
type failure struct {
	name string
	sql  string
	args []any
	over bool // the context is over before
	dead bool // the connection is closed by the server before
}

func failures() []failure {
	mode := func(m pgx.QueryExecMode, rest ...any) []any { return append([]any{m}, rest...) }
	list := []failure{
		{name: "no failure", sql: "SELECT 1"},
		{name: "no row", sql: "SELECT 1 WHERE false"},
		{name: "division", sql: "SELECT 1/(n-n) FROM generate_series(1,3) n"},
		{name: "division in the second row", sql: "SELECT 1/(2-n) FROM generate_series(1,3) n"},
		{name: "unique", sql: "INSERT INTO t VALUES (1) RETURNING n"},
		{name: "unique without rows", sql: "INSERT INTO t VALUES (1)"},
		{name: "syntax", sql: "SELEC 1"},
		{name: "no table", sql: "SELECT * FROM missing"},
		{name: "no text", sql: ""},
		{name: "cast", sql: "SELECT $1::int", args: []any{"no number"}},
		{name: "no encoding", sql: "SELECT $1::int", args: []any{struct{ A int }{1}}},
		{name: "too many arguments", sql: "SELECT $1::int", args: []any{1, 2}},
		{name: "too few arguments", sql: "SELECT $1::int"},
		{name: "the rewriter fails", sql: "SELECT 1", args: []any{rewriter{err: errors.New("no")}}},
		{name: "the rewriter's text fails", sql: "SELECT 1", args: []any{rewriter{sql: "SELECT 1/0"}}},
		{name: "a named argument is missing", sql: "SELECT @a::int", args: []any{pgx.StrictNamedArgs{}}},
		{name: "the context is over", sql: "SELECT 1", over: true},
		{name: "the connection is dead", sql: "SELECT 1", dead: true},
		{name: "raise", sql: "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"},
		{name: "kills itself", sql: "SELECT pg_terminate_backend(pg_backend_pid())"},
	}
	for _, m := range []pgx.QueryExecMode{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, 99} {
		for _, f := range list[2:6] {
			list = append(list, failure{name: fmt.Sprint(f.name, ", ", m), sql: f.sql, args: mode(m)})
		}
		list = append(list,
			failure{name: fmt.Sprint("no encoding, ", m), sql: "SELECT $1::int", args: mode(m, struct{ A int }{1})},
			failure{name: fmt.Sprint("too few, ", m), sql: "SELECT $1::int", args: mode(m)},
			failure{name: fmt.Sprint("syntax, ", m), sql: "SELEC 1", args: mode(m)})
	}
	return list
}

// told says what an error is, for comparison.
func told(err error) string {
	if err == nil {
		return "nil"
	}
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr):
		return fmt.Sprintf("%T %s", err, pgErr.Code)
	case errors.Is(err, context.Canceled): // which a retry may see before pgx does
		return "context canceled"
	}
	return fmt.Sprintf("%T %v", err, err)
}

// observed is all that a caller sees of a statement.
func observed(ctx context.Context, on dbtx, f failure) string {
	var b strings.Builder
	rows, err := on.Query(ctx, f.sql, f.args...)
	fmt.Fprintln(&b, "Query:", told(err), "| early:", told(rows.Err()))
	n := 0
	for rows.Next() {
		n++
	}
	fmt.Fprintln(&b, "rows:", n, "| error:", told(rows.Err()), "| tag:", rows.CommandTag())
	rows.Close()
	fmt.Fprintln(&b, "closed:", told(rows.Err()))
	return b.String()
}

func observedRow(ctx context.Context, on dbtx, f failure) string {
	return told(on.QueryRow(ctx, f.sql, f.args...).Scan(nil))
}

func observedExec(ctx context.Context, on dbtx, f failure) string {
	tag, err := on.Exec(ctx, f.sql, f.args...)
	return fmt.Sprint(tag, " ", told(err))
}

// observedClose closes the rows without reading them.
func observedClose(ctx context.Context, on dbtx, f failure) string {
	rows, err := on.Query(ctx, f.sql, f.args...)
	rows.Close()
	return fmt.Sprint(told(err), " then ", told(rows.Err()))
}

var ways = map[string]func(context.Context, dbtx, failure) string{
	"query": observed, "row": observedRow, "exec": observedExec, "close": observedClose,
}

// lanes calls f with what statements can be run on.
func lanes(t *testing.T, pool beginner, acquire func() (beginner, func()), f func(lane string, on dbtx, kill func())) {
	t.Helper()
	ctx := t.Context()
	f("pool", pool, nil)
	conn, release := acquire()
	kill := func(on dbtx) func() {
		return func() { _, _ = on.Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())") }
	}
	f("connection", conn, kill(conn))
	release()
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f("transaction", tx, kill(tx))
	_ = tx.Rollback(ctx)
	f("ended transaction", tx, nil)
	conn, release = acquire()
	tx, err = conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := tx.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f("savepoint", inner, kill(tx))
	_ = tx.Rollback(ctx)
	f("savepoint of an ended transaction", inner, nil)
	release()
}

func rawLanes(t *testing.T, pool *pgxpool.Pool, f func(lane string, on dbtx, kill func())) {
	t.Helper()
	lanes(t, pool, func() (beginner, func()) {
		c := must(pool.Acquire(t.Context()))
		return c, c.Release
	}, f)
}

func ourLanes(t *testing.T, pool *pgxdb.Pool, f func(lane string, on dbtx, kill func())) {
	t.Helper()
	lanes(t, pool, func() (beginner, func()) {
		c := must(pool.Acquire(t.Context()))
		return c, c.Release
	}, f)
}

// TestFailuresAreReportedAsPgxReportsThem compares what a caller sees of many
// failures with what it sees of pgx alone, on the same server.
func TestFailuresAreReportedAsPgxReportsThem(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t).Database(t).URL("pool_max_conns=4")
	raw := must(pgxpool.New(t.Context(), url))
	t.Cleanup(raw.Close)
	exec(t, raw, "CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (1)")
	rec := &recorder{}
	for name, pool := range map[string]*pgxdb.Pool{
		"no link":            poolOf(t, url),
		"a link":             poolOf(t, url, rec),
		"a retry and a link": poolOf(t, url, must(retry.New(retry.WithAttempts(1))), attempts(1, sp.OpQuery), attempts(1, sp.OpExec), rec),
	} {
		for _, f := range failures() {
			for way, see := range ways {
				ctx, cancel := context.WithCancel(t.Context())
				if f.over {
					cancel()
				}
				want := map[string]string{}
				run := func(keep func(lane, seen string)) func(string, dbtx, func()) {
					return func(lane string, on dbtx, kill func()) {
						if f.dead {
							if kill == nil {
								return
							}
							kill()
						}
						keep(lane, see(ctx, on, f))
					}
				}
				rawLanes(t, raw, run(func(lane, seen string) { want[lane] = seen }))
				ourLanes(t, pool, run(func(lane, seen string) {
					if seen != want[lane] {
						t.Errorf("%s, %s, %s by %s:\n%s\nwant as with pgx:\n%s", name, f.name, lane, way, seen, want[lane])
					}
				}))
				cancel()
			}
		}
		sound(t, pool)
	}
	for _, c := range rec.take() {
		if c.finished != 1 {
			t.Errorf("%+v", c)
		}
	}
}

// TestErrorsAreMappedAfterTheRows is code as it is written for pgx: the error
// of the database is looked for where pgx reports it.
func TestErrorsAreMappedAfterTheRows(t *testing.T) {
	t.Parallel()
	pool, _ := newPool(t)
	exec(t, pool, "CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (1)")
	errExists := errors.New("already exists")
	create := func(ctx context.Context) (int, error) {
		rows, err := pool.Query(ctx, "INSERT INTO t VALUES ($1) RETURNING n", 1)
		if err != nil {
			return 0, fmt.Errorf("query: %v", err)
		}
		n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && pgErr.Code == "23505" {
			return 0, errExists
		}
		return n, err
	}
	if _, err := create(t.Context()); !errors.Is(err, errExists) {
		t.Error(err)
	}
	sound(t, pool)
}

// observedBatch is all that a caller sees of a batch, read in a given way.
func observedBatch(ctx context.Context, on dbtx, queue func(b *pgx.Batch), read string) (out string) {
	b := &pgx.Batch{}
	queue(b)
	var s strings.Builder
	say := func(what string, err error) { fmt.Fprintln(&s, what, told(err)) }
	for i, q := range b.QueuedQueries {
		switch read {
		case "row callbacks":
			q.QueryRow(func(row pgx.Row) error { say(fmt.Sprint("row ", i), row.Scan(nil)); return nil })
		case "mapping callbacks":
			q.QueryRow(func(row pgx.Row) error {
				if err := row.Scan(nil); err != nil {
					return fmt.Errorf("mapped %d: %w", i, err)
				}
				return nil
			})
		case "query callbacks":
			q.Query(func(rows pgx.Rows) error {
				say(fmt.Sprint("early ", i), rows.Err())
				for rows.Next() {
				}
				say(fmt.Sprint("rows ", i), rows.Err())
				return nil
			})
		case "exec callbacks":
			q.Exec(func(tag pgconn.CommandTag) error { say(fmt.Sprint("exec ", i, tag), nil); return nil })
		}
	}
	r := on.SendBatch(ctx, b)
	for i := range b.Len() {
		switch read {
		case "exec":
			tag, err := r.Exec()
			say(fmt.Sprint("exec ", i, tag), err)
		case "query":
			rows, err := r.Query()
			say(fmt.Sprint("query ", i), err)
			say("early", rows.Err())
			rows.Next()
			rows.Close()
			say("rows", rows.Err())
		case "row":
			say(fmt.Sprint("row ", i), r.QueryRow().Scan(nil))
		}
	}
	say("close", r.Close())
	say("again", r.Close())
	if tx := r.Tx(); tx != nil {
		say("rollback", tx.Rollback(ctx))
	}
	return s.String()
}

func TestFailuresOfBatchesAreReportedAsPgxReportsThem(t *testing.T) {
	t.Parallel()
	base := dbtest.Postgres(t).Database(t)
	queued := map[string]func(b *pgx.Batch){
		"no failure":       func(b *pgx.Batch) { b.Queue("SELECT 1"); b.Queue("SELECT 2") },
		"the first":        func(b *pgx.Batch) { b.Queue("SELECT 1/0"); b.Queue("SELECT 2"); b.Queue("SELECT 3") },
		"the only one":     func(b *pgx.Batch) { b.Queue("INSERT INTO t VALUES (1)") },
		"the only query":   func(b *pgx.Batch) { b.Queue("INSERT INTO t VALUES (1) RETURNING n") },
		"the second":       func(b *pgx.Batch) { b.Queue("SELECT 1"); b.Queue("SELECT 1/0"); b.Queue("SELECT 3") },
		"the syntax":       func(b *pgx.Batch) { b.Queue("SELECT 1"); b.Queue("SELEC 2") },
		"an argument":      func(b *pgx.Batch) { b.Queue("SELECT $1::int", struct{ A int }{}); b.Queue("SELECT 2") },
		"a later argument": func(b *pgx.Batch) { b.Queue("SELECT 2"); b.Queue("SELECT $1::int", struct{ A int }{}) },
		"arguments":        func(b *pgx.Batch) { b.Queue("SELECT $1::int", 1, 2) },
		"the rewriter":     func(b *pgx.Batch) { b.Queue("SELECT 1", rewriter{err: errors.New("no")}) },
		"a statement of a transaction": func(b *pgx.Batch) {
			b.BeginTx(pgx.TxOptions{})
			b.Queue("SELECT 1/0")
		},
	}
	reads := []string{"close", "exec", "query", "row", "row callbacks", "mapping callbacks", "query callbacks", "exec callbacks"}
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec"} {
		url := base.URL("pool_max_conns=4", "default_query_exec_mode="+mode)
		raw := must(pgxpool.New(t.Context(), url))
		t.Cleanup(raw.Close)
		if mode == "cache_statement" {
			exec(t, raw, "CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (1)")
		}
		for name, pool := range map[string]*pgxdb.Pool{
			"no link":             poolOf(t, url),
			"a link":              poolOf(t, url, &recorder{}),
			"attempts and a link": poolOf(t, url, attempts(1, sp.OpBatch), &recorder{}),
		} {
			for what, queue := range queued {
				for _, read := range reads {
					want := observedBatch(t.Context(), raw, queue, read)
					if got := observedBatch(t.Context(), pool, queue, read); got != want {
						t.Errorf("%s, %s, %s, read by %s:\n%s\nwant as with pgx:\n%s", mode, name, what, read, got, want)
					}
				}
			}
			sound(t, pool)
		}
	}
}

// TestWhatPgxRefusesIsTheCallers: arguments that can't be sent are the caller's
// mistake, and nothing was sent.
func TestWhatPgxRefusesIsTheCallers(t *testing.T) {
	t.Parallel()
	type odd struct{ A int }
	verdicts := make(map[sp.Op]fault.Verdict)
	watch := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := next(ctx, call)
			if err != nil {
				verdicts[call.Op] = call.Verdict(err)
			}
			return err
		}
	})
	base := dbtest.Postgres(t).Database(t)
	create := poolOf(t, base.URL())
	exec(t, create, "CREATE TABLE t (n int)")
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		pool := poolOf(t, base.URL("pool_max_conns=1", "default_query_exec_mode="+mode), watch)
		known := mode != "exec" // without a description the server counts the arguments
		cases := map[string]func(on dbtx, text string, args ...any) error{
			"exec": func(on dbtx, text string, args ...any) error {
				_, err := on.Exec(t.Context(), text, args...)
				return err
			},
			"query": func(on dbtx, text string, args ...any) error {
				rows, err := on.Query(t.Context(), text, args...)
				rows.Close()
				return errors.Join(err, rows.Err())
			},
			"row": func(on dbtx, text string, args ...any) error {
				return on.QueryRow(t.Context(), text, args...).Scan(nil)
			},
			"batch": func(on dbtx, text string, args ...any) error {
				b := &pgx.Batch{}
				b.Queue(text, args...)
				return on.SendBatch(t.Context(), b).Close()
			},
			"second of a batch": func(on dbtx, text string, args ...any) error {
				b := &pgx.Batch{}
				b.Queue("INSERT INTO t VALUES (7)")
				b.Queue(text, args...)
				return on.SendBatch(t.Context(), b).Close()
			},
		}
		for way, run := range cases {
			for what, args := range map[string][]any{
				"no encoding": {odd{1}},
				"too many":    {1, 2},
				"too few":     {},
				"a rewriter":  {rewriter{err: errors.New("no")}},
			} {
				if !known && strings.HasPrefix(what, "too") || what == "too few" && (way == "exec" || mode == "simple_protocol") {
					continue // the server is asked
				}
				clear(verdicts)
				if err := run(pool, "SELECT $1::int", args...); err == nil {
					t.Errorf("%s, %s, %s: no error", mode, way, what)
					continue
				}
				for op, v := range verdicts {
					if v.Class != fault.ClassData || v.Outcome != fault.OutcomeNotSent || v.Retry != fault.RetryNone || v.Breaker == fault.BreakerFailure {
						t.Errorf("%s, %s, %s, %v: %+v", mode, way, what, op, v)
					}
				}
			}
		}
		if mode == "exec" || mode == "simple_protocol" {
			continue
		}
		for what, src := range map[string]pgx.CopyFromSource{
			"no encoding":        pgx.CopyFromRows([][]any{{1}, {odd{1}}}),
			"too many values":    pgx.CopyFromRows([][]any{{1}, {1, 2}}),
			"a failing source":   &numbers{n: 2, fail: errors.New("no more")},
			"a source that ends": pgx.CopyFromFunc(func() ([]any, error) { return nil, errors.New("gone") }),
		} {
			clear(verdicts)
			_, err := pool.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, src)
			v, ok := verdicts[sp.OpCopy]
			if err == nil || !ok || v.Class != fault.ClassData || v.Outcome == fault.OutcomeUnknown || v.Retry != fault.RetryNone || v.Breaker == fault.BreakerFailure {
				t.Errorf("%s, COPY, %s: %v %+v", mode, what, err, v)
			}
		}
		sound(t, pool)
	}
	if n := count(t, create, "SELECT count(*) FROM t"); n != 0 {
		t.Errorf("%d rows were written by what failed", n)
	}
}
