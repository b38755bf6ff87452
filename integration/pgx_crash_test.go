package integration_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// ledger is what the workers of a bank were told of their transfers.
type ledger struct {
	pool *pgxdb.Pool

	mu    sync.Mutex
	fates map[int64]fate

	acknowledged atomic.Int64 // transfers
	refused      atomic.Int64 // by the breaker
	restarted    atomic.Pointer[time.Time]
	recovered    atomic.Pointer[time.Time] // the first success after that
}

// fate is what a worker was told of a transfer.
type fate uint8

const (
	_          fate = iota
	committed       // no error
	unknown         // ErrCommitUnknown
	rolledBack      // any other error
)

// transfer moves an amount between two accounts and writes it down, in a unit
// of work that is performed again where that is safe.
func (l *ledger) transfer(ctx context.Context, id int64) {
	from := rand.IntN(accounts)
	to := (from + 1 + rand.IntN(accounts-1)) % accounts
	amount := 1 + rand.IntN(10)
	err := l.pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO ledger VALUES ($1, $2, $3, $4)", id, from, to, amount); err != nil {
			return err
		}
		for _, a := range [][2]int{{min(from, to), -amount}, {max(from, to), -amount}} { // in one order: no deadlocks
			if a[0] == to {
				a[1] = amount
			}
			if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance + $2 WHERE id = $1", a[0], a[1]); err != nil {
				return err
			}
		}
		return nil
	})
	l.note(id, err)
	if open, ok := errors.AsType[*breaker.OpenError](err); ok {
		l.refused.Add(1)
		wait(ctx, min(open.RetryAfter, 50*time.Millisecond))
	}
}

func (l *ledger) note(id int64, err error) {
	f := rolledBack
	switch {
	case err == nil:
		f = committed
		l.acknowledged.Add(1)
		if l.restarted.Load() != nil {
			now := time.Now()
			l.recovered.CompareAndSwap(nil, &now)
		}
	case errors.Is(err, sp.ErrCommitUnknown):
		f = unknown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fates[id] = f
}

// count returns how many transfers met a fate.
func (l *ledger) count(f fate) (n int) {
	for _, got := range l.fates {
		if got == f {
			n++
		}
	}
	return n
}

// TestAKilledServerLosesNoAcknowledgedTransfer kills a server under load with
// SIGKILL and starts it again. What the workers were told has to agree with
// what is in the database.
func TestAKilledServerLosesNoAcknowledgedTransfer(t *testing.T) {
	t.Parallel()
	const workers, before, after = 200, 1_000, 1_000
	server := dbtest.Private(t, dbtest.KindPostgres)
	brk := must(breaker.New(breaker.WithOpenTime(200 * time.Millisecond)))
	w := &watch{}
	l := &ledger{fates: map[int64]fate{}, pool: openPGX(t, server.Database(t).URL(),
		[]sp.Interceptor{w, must(retry.New()), brk}, size(40))}
	pgxExec(t, l.pool,
		"CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)",
		"CREATE TABLE ledger (id bigint PRIMARY KEY, debtor int NOT NULL, creditor int NOT NULL, amount int NOT NULL)")
	for id := range accounts {
		if _, err := l.pool.Exec(t.Context(), "INSERT INTO accounts VALUES ($1, $2)", id, openingBalance); err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	var ids atomic.Int64
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				// Not with ctx: that a transfer is cancelled is another story.
				l.transfer(t.Context(), ids.Add(1))
			}
		})
	}
	eventually(t, "transfers", func() bool { return l.acknowledged.Load() >= before })
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the breaker opens", func() bool { return l.refused.Load() > 0 })
	began := time.Now()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	restarted := time.Now()
	l.restarted.Store(&restarted)
	eventually(t, "the pool recovers", func() bool { return l.recovered.Load() != nil })
	enough := l.acknowledged.Load() + after
	eventually(t, "transfers after the restart", func() bool { return l.acknowledged.Load() >= enough })
	stop()
	wg.Wait()

	t.Logf("%d transfers: %d acknowledged, %d unknown, %d failed (%d refused by the breaker), %d retries",
		ids.Load(), l.count(committed), l.count(unknown), l.count(rolledBack), l.refused.Load(), w.count(sp.EventRetry))
	t.Logf("the server took %s to come back; the first transfer succeeded %s later",
		restarted.Sub(began).Round(time.Millisecond), l.recovered.Load().Sub(restarted).Round(time.Millisecond))
	l.check(t)
	eventually(t, "every call is finished", func() bool { return w.open() == 0 })
	eventually(t, "no connection is in use", func() bool { return l.pool.Stat().AcquiredConns() == 0 })
}

// check compares what the workers were told with the database.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	rows := must(l.pool.Query(t.Context(), "SELECT id FROM ledger")) // its key makes a second row impossible
	written := must(pgx.CollectRows(rows, pgx.RowTo[int64]))
	there := map[int64]bool{}
	for _, id := range written {
		there[id] = true
	}
	for id, f := range l.fates {
		switch {
		case f == committed && !there[id]:
			t.Errorf("transfer %d was acknowledged and is lost", id)
		case f == rolledBack && there[id]:
			t.Errorf("transfer %d is said to have failed and was carried out", id)
		}
		delete(there, id)
	}
	if len(there) != 0 {
		t.Errorf("%d transfers are of nobody", len(there))
	}
	if total := pgxScalar[int](t, l.pool, "SELECT sum(balance) FROM accounts"); total != accounts*openingBalance {
		t.Errorf("the accounts hold %d, want %d", total, accounts*openingBalance)
	}
	wrong := pgxScalar[int](t, l.pool, `SELECT count(*) FROM accounts WHERE balance <> $1
		- (SELECT coalesce(sum(amount), 0) FROM ledger WHERE debtor = accounts.id)
		+ (SELECT coalesce(sum(amount), 0) FROM ledger WHERE creditor = accounts.id)`, openingBalance)
	if wrong != 0 {
		t.Errorf("%d accounts do not hold what the ledger says", wrong)
	}
}
