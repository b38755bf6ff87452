package proxy_test

import (
	"context"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// brief gives each call a context that ends with it, as a time limit does.
var brief = sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		ctx, cancel := context.WithCancel(ctx)
		call.OnFinish(func(error) { cancel() })
		return next(ctx, call)
	}
})

// Queries of a thousand rows, and of a million.
const (
	thousand = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n"
	million  = thousand + ", (SELECT i AS j FROM n) m"
)

// TestASessionsStreamOutlivesItsCall reads on after the method that opened the
// stream is over, and until the caller's context is.
func TestASessionsStreamOutlivesItsCall(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			a := proxy.NewAsyncSession(shelves(t, url(t), brief))
			rows := must(t, a.Stream(t.Context(), engine.Text(thousand), engine.WithWindow(10)))
			if all := must(t, rows.All(t.Context())); len(all) != 1000 {
				t.Errorf("%d rows", len(all))
			}
			values := must(t, a.StreamScalars(t.Context(), engine.Text(thousand), engine.WithWindow(10)))
			if all := must(t, values.All(t.Context())); len(all) != 1000 {
				t.Errorf("%d values", len(all))
			}
			ctx, cancel := context.WithCancel(t.Context())
			rows = must(t, a.Stream(ctx, engine.Text(million), engine.WithWindow(10)))
			cancel()
			for more := true; more; { // until a read finds out
				few, err := rows.FetchMany(t.Context(), 10).Await(t.Context())
				if more = err == nil; more && len(few) == 0 {
					t.Fatal("the stream has outlived its caller")
				}
			}
			_ = a.Aclose(t.Context()).Await(t.Context()) // with an error where the end of a context closes the connection
		})
	}
}
