package integration_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// Purse holds an amount.
type Purse struct {
	ID      int64 `orm:",pk,noauto"`
	Balance int64
}

// Payment is money that went from one purse to another.
type Payment struct {
	ID       int64
	Debtor   int64 `orm:",references:purse.id"`
	Creditor int64 `orm:",references:purse.id"`
	Amount   int64
}

const purses = 200

// pay moves an amount, with statements that nobody awaits: the commit tells of
// their errors.
func pay(ctx context.Context, a *proxy.AsyncSession, cancel func()) (settled []<-chan struct{}, err error) {
	from := rand.Int64N(purses)
	to := (from + 1 + rand.Int64N(purses-1)) % purses
	amount := 1 + rand.Int64N(10)
	p := &Payment{Debtor: from, Creditor: to, Amount: amount}
	if err := a.Add(p); err != nil {
		return nil, err
	}
	settled = append(settled, a.Flush(ctx).Done())
	for _, move := range [][2]int64{{min(from, to), -amount}, {max(from, to), -amount}} { // in one order: no deadlocks
		if move[0] == to {
			move[1] = amount
		}
		f := a.Execute(ctx, engine.Text("UPDATE purse SET balance = balance + ? WHERE id = ?", move[1], move[0]))
		settled = append(settled, f.Done())
		if rand.IntN(20) == 0 {
			cancel()
		}
	}
	c := a.Commit(ctx)
	settled = append(settled, c.Done())
	return settled, c.Await(context.WithoutCancel(ctx))
}

// TestManyAwaitedSessions runs 10,000 awaited sessions at once, cancels some of
// them at random, and kills and restarts the server in between: every future is
// settled, nothing is leaked, and no money is made or lost.
func TestManyAwaitedSessions(t *testing.T) {
	t.Parallel()
	const sessions = 10_000
	server := dbtest.Private(t, dbtest.KindPostgres)
	eng, err := engine.Open(t.Context(), server.Database(t).URL(), engine.WithPoolSize(30), engine.WithPoolTimeout(2*time.Minute),
		engine.WithChain(sp.NewChain(&watch{})))
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Dispose()
	if err := orm.CreateAll(t.Context(), eng, (*Purse)(nil), (*Payment)(nil)); err != nil {
		t.Fatal(err)
	}
	m := must(proxy.NewMaker(eng))
	if err := m.Begin(t.Context(), func(_ context.Context, s *proxy.Session) (err error) {
		for id := range int64(purses) {
			err = errors.Join(err, s.Add(&Purse{ID: id, Balance: 1000}))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var paid, failed atomic.Int64
	for range sessions {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a := m.Async()
			settled, err := pay(ctx, a, cancel)
			if err == nil {
				paid.Add(1)
			} else {
				failed.Add(1)
			}
			_ = a.Aclose(ctx).Await(context.WithoutCancel(ctx)) // its error is that of what was lost
			for i, done := range settled {
				select {
				case <-done:
				case <-time.After(time.Minute):
					t.Errorf("future %d of a closed session is not settled", i)
				}
			}
		})
	}
	for paid.Load() < sessions/10 && paid.Load()+failed.Load() < sessions { // how long that takes is the machine's affair
		wait(t.Context(), 10*time.Millisecond)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()

	if n := eng.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
	eventually(t, "the queues' goroutines have ended", func() bool {
		stacks := make([]byte, 16<<20)
		return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("/proxy.(*queue).run"))
	})
	s := m.Session()
	defer s.Close(context.Background())
	total, _, err := orm.Scalar[int64](t.Context(), s.Session, engine.Text("SELECT sum(balance)::bigint FROM purse"))
	if err != nil || total != purses*1000 {
		t.Errorf("the total is %d, error %v", total, err)
	}
	n, err := orm.From[Payment]().Count(t.Context(), s.Session)
	if err != nil || n < paid.Load() || paid.Load()+failed.Load() != sessions {
		t.Errorf("%d payments are in the database, %d were acknowledged and %d failed, error %v", n, paid.Load(), failed.Load(), err)
	}
	t.Logf("%d paid, %d failed, %d in the database", paid.Load(), failed.Load(), n)
}
