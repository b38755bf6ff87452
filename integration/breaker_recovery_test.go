package integration_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// comeback is what callers see of a server's return.
type comeback struct {
	mu       sync.Mutex
	returned time.Time // the server's
	back     time.Time // the first success after it
	calls    int       // since then
	refused  int       // of them
	failed   int       // of them, otherwise
}

func (r *comeback) note(begun time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.returned.IsZero() || begun.Before(r.returned) {
		return
	}
	if r.back.IsZero() && err == nil {
		r.back = time.Now()
	}
	if r.back.IsZero() || begun.Before(r.back) {
		return
	}
	r.calls++
	switch {
	case errors.Is(err, breaker.ErrOpen):
		r.refused++
	case err != nil:
		r.failed++
	}
}

func (r *comeback) enough() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls >= 2000
}

// TestAServerThatIsBackIsNotRefused restarts a server under callers that never
// rest. What a breaker must not do is to keep them from it once it has
// answered. How long it took until then is logged.
func TestAServerThatIsBackIsNotRefused(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*dbtest.PrivateServer) error{
		"restarted": (*dbtest.PrivateServer).Stop, "killed": (*dbtest.PrivateServer).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := dbtest.Private(t, dbtest.KindPostgres)
			h := openDSN(t, "pgx", server.Database(t).DSN(), must(breaker.New()))
			h.SetMaxOpenConns(16)
			h.SetMaxIdleConns(16)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var r comeback
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for !r.enough() && ctx.Err() == nil {
						begun := time.Now()
						_, err := h.ExecContext(ctx, "SELECT 1")
						r.note(begun, err)
						wait(ctx, time.Millisecond)
					}
				})
			}
			if err := stop(server); err != nil {
				t.Fatal(err)
			}
			for opened := false; !opened && ctx.Err() == nil; {
				_, err := h.ExecContext(ctx, "SELECT 1")
				opened = errors.Is(err, breaker.ErrOpen)
			}
			if err := server.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			r.returned = time.Now()
			r.mu.Unlock()
			wg.Wait()
			t.Logf("back after %v; of %d calls since, %d were refused, %d failed otherwise", r.back.Sub(r.returned), r.calls, r.refused, r.failed)
			if !r.enough() || r.refused*100 >= r.calls {
				t.Errorf("of %d calls to a server that is back, %d were refused", r.calls, r.refused)
			}
		})
	}
}
