package pgxdb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// hooked is an interceptor that keeps each call to its end.
var hooked = sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
	done := func(error) {}
	return func(ctx context.Context, call *sp.Call) error {
		call.OnFinish(done)
		return next(ctx, call)
	}
})

// TestCallsAllocateLittle counts what a call costs beyond pgx: a context in
// case a connection has to be opened, the rows, and the watch over them if
// their context can end.
func TestCallsAllocateLittle(t *testing.T) {
	pool := poolOf(t, dbtest.Postgres(t).Database(t).URL(), hooked)
	one := func(ctx context.Context, on dbtx) error { return on.QueryRow(ctx, "SELECT 1").Scan(new(int)) }
	for _, test := range []struct {
		name    string
		ctx     context.Context
		perform func(ctx context.Context, on dbtx) error
		ceiling float64
	}{
		{"exec", context.Background(), func(ctx context.Context, on dbtx) error {
			_, err := on.Exec(ctx, "SELECT 1")
			return err
		}, 2},
		{"row", context.Background(), one, 3},
		{"row, of a context that can end", t.Context(), one, 5},
		{"batch of 100", context.Background(), sendHundred, 12},
	} {
		run := func(on dbtx) float64 {
			return alloctest.PerRun(100, func() {
				if err := test.perform(test.ctx, on); err != nil {
					t.Fatal(err)
				}
			})
		}
		if raw, ours := run(pool.Unwrap()), run(pool); ours > raw+test.ceiling+alloctest.Lost {
			t.Errorf("%s: %v allocations, pgx alone has %v", test.name, ours, raw)
		}
	}
}

func sendHundred(ctx context.Context, on dbtx) error {
	const statements = 100
	batch := &pgx.Batch{}
	for range statements {
		batch.Queue("SELECT 1")
	}
	results := on.SendBatch(ctx, batch)
	for range statements {
		if err := results.QueryRow().Scan(new(int)); err != nil {
			return errors.Join(err, results.Close())
		}
	}
	return results.Close()
}
