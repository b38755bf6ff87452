package integration_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/retry"
)

const (
	accounts       = 40
	openingBalance = 1000
)

// bank makes a table of accounts that hold the same amount.
func bank(t testing.TB, d database, db *sqldb.DB) {
	t.Helper()
	mustExec(t, db, "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
	for id := range accounts {
		if _, err := db.ExecContext(context.Background(), d.bind("INSERT INTO accounts VALUES (?, ?)"), id, openingBalance); err != nil {
			t.Fatal(err)
		}
	}
}

// transfer moves an amount by reading both balances and writing both, which
// only a serializable transaction does right.
func transfer(ctx context.Context, d database, tx *sql.Tx, from, to, amount int) error {
	var a, b int
	if err := tx.QueryRowContext(ctx, d.bind("SELECT balance FROM accounts WHERE id = ?"), from).Scan(&a); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, d.bind("SELECT balance FROM accounts WHERE id = ?"), to).Scan(&b); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, d.bind("UPDATE accounts SET balance = ? WHERE id = ?"), a-amount, from); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, d.bind("UPDATE accounts SET balance = ? WHERE id = ?"), b+amount, to)
	return err
}

// TestConcurrentTransfersKeepTheTotal runs 1,000 transfers at once, under
// serializable isolation, through the whole chain. Every conflict is replayed.
func TestConcurrentTransfersKeepTheTotal(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		const transfers = 1000
		w := &watch{}
		db := d.open(t, w,
			must(retry.New(retry.WithAttempts(100), retry.WithBackoff(retry.Contention, time.Millisecond, 50*time.Millisecond), retry.WithoutBudget())),
			must(breaker.New()))
		db.SetMaxOpenConns(16)
		bank(t, d, db)
		opts := &sql.TxOptions{Isolation: sql.LevelSerializable}
		if d.system == sp.SQLite { // always serializable; its driver knows no other level
			opts = nil
		}
		var wg sync.WaitGroup
		for range transfers {
			wg.Go(func() {
				from := rand.IntN(accounts)
				to := (from + 1 + rand.IntN(accounts-1)) % accounts
				err := db.RunInTx(context.Background(), opts, func(ctx context.Context, tx *sql.Tx) error {
					return transfer(ctx, d, tx, from, to, 1+rand.IntN(10))
				})
				if err != nil {
					t.Errorf("transfer: %v", err)
				}
			})
		}
		wg.Wait()
		if total := scalar[int](t, db, "SELECT SUM(balance) FROM accounts"); total != accounts*openingBalance {
			t.Errorf("the accounts hold %d, want %d", total, accounts*openingBalance)
		}
		retries := w.count(sp.EventRetry)
		t.Logf("%d transfers, %d replays", transfers, retries)
		if retries == 0 && d.system != sp.SQLite { // SQLite waits for its one writer instead
			t.Error("no transfer was replayed: this test has shown nothing")
		}
		if n := w.open(); n != 0 {
			t.Errorf("%d calls were never finished", n)
		}
	})
}
