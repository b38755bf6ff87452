package proxy_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// TestNothingIsLeftOfManyThatGiveUp moves amounts between rows from many
// goroutines, whose contexts end at any moment. Every future settles, every
// connection goes back, and the total stays.
func TestNothingIsLeftOfManyThatGiveUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		total := engine.Text("SELECT sum(n) FROM account")
		must(t, eng.Execute(t.Context(), engine.Text("CREATE TABLE account (id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL)")))
		must(t, eng.Execute(t.Context(), engine.Text("INSERT INTO account (id, n) SELECT id, 100 FROM item")))
		var users sync.WaitGroup
		committed := 0
		var mu sync.Mutex
		for i := range 120 {
			users.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				rnd := rand.New(rand.NewPCG(uint64(i), 7))
				if rnd.IntN(3) > 0 { // while something else takes its time
					users.Go(func() {
						defer cancel()
						_ = eng.Ping(t.Context()).Await(t.Context())
					})
				}
				if transfer(ctx, eng, rnd) == nil {
					mu.Lock()
					committed++
					mu.Unlock()
				}
			})
		}
		users.Wait()
		for eng.Sync().Stats().InUse != 0 { // if one stays, the test does
			ok(t, eng.Ping(t.Context()))
		}
		res := must(t, eng.Execute(t.Context(), total))
		if sum, err := engine.ScalarsOf[int](res, 0).One(); err != nil || sum != 3000 {
			t.Error(sum, err)
		}
		if committed == 0 {
			t.Error("nobody came through")
		}
	})
}

// transfer moves an amount and looks at all accounts, partly unawaited.
func transfer(ctx context.Context, eng *proxy.AsyncEngine, rnd *rand.Rand) error {
	from, to := 1+rnd.IntN(30), 1+rnd.IntN(30)
	tx, err := eng.Begin(ctx).Await(ctx)
	if err != nil {
		return err
	}
	defer tx.Close(ctx)
	add := func(id, n int) proxy.Future[*engine.Result] {
		return tx.Execute(ctx, engine.Text("UPDATE account SET n = n + ? WHERE id = ?", n, id))
	}
	add(min(from, to), -7) // in one order, so that no two wait for each other
	add(max(from, to), 7)
	rows, err := tx.StreamScalars(ctx, engine.Text("SELECT n FROM account"), engine.WithWindow(4)).Await(ctx)
	if err != nil {
		return err
	}
	stop := rnd.IntN(40)
	for _, err := range rows.Iter(ctx) {
		if stop--; err != nil || stop < 0 {
			break
		}
	}
	if rnd.IntN(2) == 0 {
		rows.Close(ctx)
	}
	return tx.Commit(ctx).Await(ctx)
}
