package pgxdb_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(dbtest.Runner(m), goleak.Cleanup(os.Exit))
}

// seen is a call as an interceptor saw it.
type seen struct {
	op       sp.Op
	scope    sp.Scope
	inTx     bool
	step     bool
	text     string
	size     int
	err      error // what next returned
	finished int
	end      error // what the finish hook got
	read     int64
	affected int64
	retry    string
}

// recorder is an interceptor that writes down every call.
type recorder struct {
	mu     sync.Mutex
	calls  []*seen
	events []sp.Event
}

func (r *recorder) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		s := &seen{op: call.Op, scope: call.Scope, inTx: call.InTx, step: call.Step(), text: call.Text, size: call.BatchSize}
		r.mu.Lock()
		r.calls = append(r.calls, s)
		r.mu.Unlock()
		call.OnEvent(func(e sp.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		})
		call.OnFinish(func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			s.finished++
			s.end, s.read, s.affected = err, call.RowsReturned, call.RowsAffected
		})
		err := next(ctx, call)
		r.mu.Lock()
		defer r.mu.Unlock()
		if s.err = err; err != nil {
			s.retry = call.Verdict(err).Retry.String()
		}
		return err
	}
}

// take returns what was seen since the last time, without dialling.
func (r *recorder) take() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []seen
	for _, s := range r.calls {
		if s.op != sp.OpConnect {
			out = append(out, *s)
		}
	}
	r.calls, r.events = nil, nil
	return out
}

func ops(calls []seen) (out []sp.Op) {
	for _, c := range calls {
		out = append(out, c.op)
	}
	return out
}

func wantOps(t *testing.T, got []seen, want ...sp.Op) {
	t.Helper()
	if !slices.Equal(ops(got), want) {
		t.Fatalf("the chain saw %v, want %v", ops(got), want)
	}
	for _, c := range got {
		if c.finished != 1 {
			t.Errorf("%v was finished %d times", c.op, c.finished)
		}
	}
}

// newPool returns a pool of an empty database through a recorder and links.
func newPool(t *testing.T, links ...sp.Interceptor) (*pgxdb.Pool, *recorder) {
	t.Helper()
	rec := &recorder{}
	return poolOf(t, dbtest.Postgres(t).Database(t).URL("pool_max_conns=4"), append([]sp.Interceptor{rec}, links...)...), rec
}

func poolOf(t *testing.T, url string, links ...sp.Interceptor) *pgxdb.Pool {
	t.Helper()
	pool := must(pgxdb.NewPool(t.Context(), url, sp.NewChain(links...)))
	t.Cleanup(pool.Close)
	return pool
}

// sound fails the test unless every connection is back in its pool.
func sound(t *testing.T, pool *pgxdb.Pool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); pool.Stat().AcquiredConns() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections were never given back", pool.Stat().AcquiredConns())
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func exec(t *testing.T, on dbtx, sql string, args ...any) {
	t.Helper()
	if _, err := on.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// count returns the number a query answers with.
func count(t *testing.T, pool *pgxdb.Pool, sql string) (n int) {
	t.Helper()
	if err := pool.Unwrap().QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// attempts is an interceptor that tries a call up to n times.
func attempts(n int, op sp.Op) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) (err error) {
			if call.Op != op {
				return next(ctx, call)
			}
			for range n {
				if err = call.Try(ctx, next); err == nil {
					return nil
				}
			}
			return err
		}
	})
}

// refuse is an interceptor that refuses calls of an operation, before or after
// they were performed.
func refuse(op sp.Op, after bool, with error) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op != op {
				return next(ctx, call)
			}
			if after {
				if err := next(ctx, call); err != nil {
					return err
				}
			}
			return with
		}
	})
}

var noOptions = pgx.TxOptions{}
