package pgxdb_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/pgscript"
)

// TestAReplayAfterALostCommitHasThePlaceToo replays a unit that is marked
// idempotent, on a pool of one connection.
func TestAReplayAfterALostCommitHasThePlaceToo(t *testing.T) {
	t.Parallel()
	s := pgscript.Start(t)
	pool := scripted(t, s, "simple_protocol")
	s.DieAt(pgscript.OnQuery, "commit", false)
	runs := 0
	err := pool.RunInTx(sp.WithIdempotent(t.Context()), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		_, err := tx.Exec(ctx, "UPDATE counters SET n = 1")
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs: %v", runs, err)
	}
}

// waiting returns how many goroutines wait for a connection of a pool, which pgx
// does not tell.
func waiting() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "puddle/v2.(*Pool[...]).acquire(")
}

// TestAVerifierGetsThePlaceOfTheLostConnection loses the answer to a COMMIT on
// the only connection of a pool, which others wait for: the verifier does not
// queue behind them, and there are no more connections than the pool may have.
func TestAVerifierGetsThePlaceOfTheLostConnection(t *testing.T) {
	for _, verify := range []string{"statement", "transaction", "none"} {
		t.Run(verify, func(t *testing.T) {
			s := pgscript.Start(t)
			pool := scripted(t, s, "simple_protocol")
			s.DieAt(pgscript.OnQuery, "commit", false)
			var wg sync.WaitGroup
			defer wg.Wait()
			var done atomic.Bool // another has had the connection
			verified := 0
			ctx := sp.WithVerifyCommit(t.Context(), func(ctx context.Context) (bool, error) {
				verified++
				defer func() {
					if done.Load() {
						t.Error("another was served before")
					}
				}()
				if verify == "transaction" {
					err := pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
						_, err := tx.Exec(ctx, "SELECT 1")
						return err
					})
					return true, err
				}
				for range 3 { // each has the place
					if _, err := pool.Exec(ctx, "SELECT 1"); err != nil {
						return false, err
					}
				}
				return true, nil
			})
			if verify == "none" {
				ctx = t.Context()
			}
			err := pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
				for range 4 {
					wg.Go(func() {
						if _, err := pool.Exec(t.Context(), "SELECT 2"); err != nil {
							t.Error(err)
						}
						done.Store(true)
					})
				}
				for waiting() < 4 {
					runtime.Gosched()
				}
				_, err := tx.Exec(ctx, "UPDATE counters SET n = 1")
				return err
			})
			if verify == "none" {
				if !errors.Is(err, sp.ErrCommitUnknown) {
					t.Error(err)
				}
			} else if err != nil || verified != 1 {
				t.Errorf("%v, verified %d times", err, verified)
			}
			wg.Wait() // the place went back to the pool
			if n := pool.Stat().TotalConns(); n > 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}
