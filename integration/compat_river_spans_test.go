package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// riverInTx has River do a handful of things in a transaction, which may be
// pgx's or ours: rows that are read, that are written, COPY, and an error.
func riverInTx(ctx context.Context, client *river.Client[pgx.Tx], tx pgx.Tx) error {
	one, err := client.InsertTx(ctx, tx, greet{Name: "one"}, nil)
	if err != nil {
		return err
	}
	two := []river.InsertManyParams{{Args: greet{Name: "two"}}, {Args: greet{Name: "three"}}}
	if _, err := client.InsertManyTx(ctx, tx, two); err != nil {
		return err
	}
	if _, err := client.InsertManyFastTx(ctx, tx, two); err != nil {
		return err
	}
	if _, err := client.JobGetTx(ctx, tx, one.Job.ID); err != nil {
		return err
	}
	if _, err := client.JobListTx(ctx, tx, nil); err != nil {
		return err
	}
	if _, err := client.JobCancelTx(ctx, tx, one.Job.ID); err != nil {
		return err
	}
	if _, err := client.JobDeleteTx(ctx, tx, one.Job.ID); err != nil {
		return err
	}
	if _, err := client.JobGetTx(ctx, tx, one.Job.ID); !errors.Is(err, river.ErrNotFound) {
		return fmt.Errorf("a job that is deleted: %w", err)
	}
	// By QueryRow: a tracer is not told whether a SELECT came by Exec.
	if err := tx.QueryRow(ctx, "SELECT 1/0").Scan(new(int)); err == nil {
		return errors.New("a division by zero succeeded")
	}
	return tx.Rollback(ctx)
}

// shape is all of a span but its times and ids.
func shape(s tracetest.SpanStub) string {
	var attrs []string
	for _, a := range s.Attributes {
		attrs = append(attrs, fmt.Sprintf("%s=%v", a.Key, a.Value.AsInterface()))
	}
	slices.Sort(attrs)
	return fmt.Sprintf("%s %v %v %v parent:%t events:%d %v", s.Name, s.SpanKind, s.Status, s.InstrumentationScope.Name, s.Parent.IsValid(), len(s.Events), attrs)
}

// TestRiversSpansAreThoseOfAPool has River do the same on pgx's own pool with a
// tracer and on a pool of this library, and compares span by span.
func TestRiversSpansAreThoseOfAPool(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), collect(t)
	chain := sp.NewChain(c.tracing)
	d := dbtest.Postgres(t).Database(t)
	traced := func() *pgxpool.Config {
		config := must(pgxpool.ParseConfig(d.URL()))
		config.ConnConfig.Tracer = must(pgxdb.NewTracer(chain))
		return config
	}
	raw := must(pgxpool.NewWithConfig(ctx, traced()))
	t.Cleanup(raw.Close)
	pool := must(pgxdb.NewPoolWithConfig(ctx, traced(), chain))
	t.Cleanup(pool.Close)
	if _, err := must(rivermigrate.New(riverpgxv5.New(raw), nil)).Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		t.Fatal(err)
	}
	client := must(river.NewClient(riverpgxv5.New(raw), &river.Config{}))
	spansOf := func(begin func(ctx context.Context) (pgx.Tx, error)) (shapes []string) {
		warm := must(begin(ctx)) // connections are opened, and statements prepared
		if err := riverInTx(ctx, client, warm); err != nil {
			t.Fatal(err)
		}
		c.take()
		under, parent := c.traces.Tracer("compat").Start(ctx, "work")
		if err := riverInTx(under, client, must(begin(under))); err != nil {
			t.Fatal(err)
		}
		parent.End()
		for _, s := range c.take() {
			// River leaves a notification out that follows another too soon.
			if sent := shape(s); !strings.Contains(sent, "PGNotifyMany") {
				shapes = append(shapes, sent)
			}
		}
		return shapes
	}
	tracer, ours := spansOf(raw.Begin), spansOf(pool.Begin)
	if len(tracer) != len(ours) || len(ours) < 10 {
		t.Errorf("%d spans with a tracer, %d on a pool:\n%q\n%q", len(tracer), len(ours), tracer, ours)
	}
	for i := range min(len(tracer), len(ours)) {
		if tracer[i] != ours[i] {
			t.Errorf("span %d\nwith a tracer %s\non a pool     %s", i, tracer[i], ours[i])
		}
	}
}
