package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// greet is a job.
type greet struct {
	Name string `json:"name"`
}

// Kind is the method of [river.JobArgs].
func (greet) Kind() string { return "greet" }

// greeter works greet jobs, in a transaction of its own on the pool.
type greeter struct {
	river.WorkerDefaults[greet]
	pool *pgxpool.Pool
	done chan<- string
}

// Work is the method of [river.Worker].
func (g *greeter) Work(ctx context.Context, job *river.Job[greet]) error {
	_, err := g.pool.Exec(ctx, "INSERT INTO greetings VALUES ($1)", job.Args.Name)
	g.done <- job.Args.Name
	return err
}

// TestRiverOnATracedPool works jobs of River, which takes nothing but pgx's own
// pool, on one that has a tracer, beside a pool of this library on the same.
func TestRiverOnATracedPool(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), collect(t)
	chain := sp.NewChain(c.tracing, must(retry.New()))
	config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL("pool_max_conns=8")))
	config.ConnConfig.Tracer = must(pgxdb.NewTracer(chain.Observers()))
	pool := must(pgxdb.NewPoolWithConfig(ctx, config, chain))
	t.Cleanup(pool.Close)
	pgxExec(t, pool, "CREATE TABLE greetings (name text)")
	raw := pool.Unwrap()

	migrator := must(rivermigrate.New(riverpgxv5.New(raw), nil))
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		t.Fatal(err)
	}
	const jobs = 20
	done := make(chan string, jobs)
	workers := river.NewWorkers()
	river.AddWorker(workers, &greeter{pool: raw, done: done})
	client := must(river.NewClient(riverpgxv5.New(raw), &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		Workers: workers,
	}))
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c.take()
	tx := must(raw.Begin(ctx))
	for i := range jobs {
		if _, err := client.InsertTx(ctx, tx, greet{Name: fmt.Sprint("s3cr3t-", i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for range jobs {
		<-done
	}
	if err := client.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	spans := c.take()
	found := map[string]int{}
	for _, s := range spans {
		found[s.Name]++
		if strings.Contains(s.Name, "river") && (s.SpanKind != trace.SpanKindClient || attr(s, "db.system.name") != "postgresql") {
			t.Errorf("the span %q is %v of %q", s.Name, s.SpanKind, attr(s, "db.system.name"))
		}
	}
	if found["INSERT greetings"] != jobs {
		t.Errorf("%d spans of the jobs' own statement, want %d: %v", found["INSERT greetings"], jobs, found)
	}
	river := 0
	for name, n := range found {
		if strings.Contains(name, "river_job") {
			river += n
		}
	}
	if river < jobs {
		t.Errorf("%d spans of River's statements: %v", river, found)
	}
	noSecrets(t, spans)

	var n int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM greetings").Scan(&n); err != nil || n != jobs {
		t.Error(n, err)
	}
	if s := c.take(); len(s) != 1 {
		t.Errorf("a statement of the pool above made the spans %v", names(s))
	}
}
