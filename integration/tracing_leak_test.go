package integration_test

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// logged is a handler of logs that hands on the records.
type logged chan slog.Record

func (logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l logged) WithGroup(string) slog.Handler          { return l }

func (l logged) Handle(_ context.Context, r slog.Record) error {
	l <- r
	return nil
}

// leakDetection is collect with a watch on what stays open.
func leakDetection(t *testing.T) (*telemetry, logged) {
	t.Helper()
	c, records := collect(t), make(logged, 100)
	c.tracing = must(tracing.New(tracing.WithTracerProvider(c.traces), tracing.WithMeterProvider(c.meters),
		tracing.WithLeakDetection(time.Millisecond, slog.New(records))))
	return c, records
}

// leaked waits for the report of a result that this test has left open, and
// returns what the report calls it. The stack has to begin with a function of
// that package.
func leaked(t *testing.T, records logged, opener string) (name string) {
	t.Helper()
	attrs := map[string]string{}
	for r := range records {
		if r.Level != slog.LevelWarn { // of one that the test's machine had no time to close
			continue
		}
		r.Attrs(func(a slog.Attr) bool {
			attrs[a.Key] = a.Value.String()
			return true
		})
		break
	}
	stack := attrs["code.stacktrace"]
	first, _, _ := strings.Cut(stack, "\n")
	if !strings.HasPrefix(first, "github.com/sessionproxy/sessionproxy/"+opener+".") {
		t.Errorf("the stack begins with %s:\n%s", first, stack)
	}
	for key, value := range attrs {
		if strings.Contains(value, "s3cr3t") {
			t.Errorf("%s is %q", key, value)
		}
	}
	return attrs["db.query.summary"] + attrs["db.operation.name"]
}

// overdue returns the number of overdue results that the metric tells.
func (c *telemetry) overdue(t *testing.T) (n int64) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := c.reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "sessionproxy.result.overdue" {
				continue
			}
			sum := m.Data.(metricdata.Sum[int64])
			if sum.IsMonotonic {
				t.Error("the metric never falls")
			}
			for _, p := range sum.DataPoints {
				n += p.Value
			}
		}
	}
	return n
}

func TestLeakedRowsAreReported(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		c, records := leakDetection(t)
		db := d.open(t, c.tracing)
		mustExec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (1)")
		for level, query := range map[string]func(context.Context, string, ...any) (*sql.Rows, error){
			"handle": db.QueryContext, "database/sql": db.DB.QueryContext,
		} {
			for _, ctx := range []context.Context{t.Context(), context.Background()} {
				rows, err := query(ctx, d.bind("SELECT id, 's3cr3t' FROM users WHERE id = ?"), 1)
				if err != nil {
					t.Fatal(err)
				}
				if got := leaked(t, records, "integration_test"); got != "SELECT users" {
					t.Errorf("%s: %q was reported", level, got)
				}
				if n := c.overdue(t); n != 1 {
					t.Errorf("%s: %d are overdue", level, n)
				}
				if !rows.Next() || rows.Err() != nil {
					t.Errorf("%s: the rows are disturbed: %v", level, rows.Err())
				}
				if err := rows.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for level, begin := range map[string]func(context.Context, *sql.TxOptions) (*sql.Tx, error){
			"handle": db.BeginTx, "database/sql": db.DB.BeginTx,
		} {
			tx := must(begin(context.Background(), nil))
			if got := leaked(t, records, "integration_test"); got != "BEGIN" {
				t.Errorf("%s: %q was reported", level, got)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
		if n := c.overdue(t); n != 0 {
			t.Errorf("%d are overdue after all were closed", n)
		}
	})
}

func TestLeaksOfPGXAreReported(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, records := leakDetection(t)
	pool := openPGX(t, dbtest.Postgres(t).Database(t).URL(), []sp.Interceptor{c.tracing})
	for want, open := range map[string]func() (closeIt func()){
		"SELECT": func() func() { return must(pool.Query(ctx, "SELECT generate_series(1, 3)")).Close },
		"BEGIN": func() func() {
			tx := must(pool.Begin(ctx))
			return func() { must(0, tx.Rollback(ctx)) }
		},
		"acquire": func() func() { return must(pool.Acquire(ctx)).Release },
		"BATCH SELECT": func() func() {
			batch := &pgx.Batch{}
			batch.Queue("SELECT 1")
			batch.Queue("SELECT 2")
			results := pool.SendBatch(ctx, batch)
			return func() { must(0, results.Close()) }
		},
	} {
		closeIt := open()
		if got := leaked(t, records, "integration_test"); got != want {
			t.Errorf("%q was reported, want %q", got, want)
		}
		closeIt()
	}
	if n := c.overdue(t); n != 0 {
		t.Errorf("%d are overdue after all were closed", n)
	}
}

// TestALeakOfAnAwaitedSessionIsReported leaves the transaction of a session open
// that runs its statements on a goroutine of its own, where no caller is seen.
func TestALeakOfAnAwaitedSessionIsReported(t *testing.T) {
	t.Parallel()
	c, records := leakDetection(t)
	eng := must(engine.Open(t.Context(), "sqlite:"+dbtest.SQLite(t), engine.WithChain(sp.NewChain(c.tracing))))
	defer eng.Dispose()
	s := proxy.NewAsyncSession(eng)
	<-s.Execute(t.Context(), engine.Text("CREATE TABLE users (id INTEGER)")).Done()
	if got := leaked(t, records, "tracing"); got != "BEGIN" {
		t.Errorf("%q was reported", got)
	}
	if err := s.Close(t.Context()).Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := c.overdue(t); n != 0 {
		t.Errorf("%d are overdue after the session was closed", n)
	}
}
