package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/cluster"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// journal is what callers know of their transfers.
type journal struct {
	mu      sync.Mutex
	acked   []string
	unknown []string
	failed  []string
	errs    map[string]int
	last    time.Time     // of an acknowledgment
	gap     time.Duration // the longest between two
}

// note takes note of how a transfer ended.
func (l *journal) note(id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		now := time.Now()
		if !l.last.IsZero() {
			l.gap = max(l.gap, now.Sub(l.last))
		}
		l.acked, l.last = append(l.acked, id), now
	case errors.Is(err, sp.ErrCommitUnknown):
		l.unknown = append(l.unknown, id)
	default:
		l.failed = append(l.failed, id)
		l.errs[err.Error()]++
	}
}

const (
	ledgerAccounts  = 200
	ledgerWorkers   = 12
	callersPatience = 5 * time.Second
)

// openLedger opens a handle on servers, with a table of accounts and a journal of
// transfers.
func openLedger(t *testing.T, servers *dbtest.Cluster) (*cluster.Cluster, *pgxdb.Pool) {
	t.Helper()
	var nodes []cluster.NodeConfig
	for i := range servers.Servers {
		nodes = append(nodes, cluster.NodeConfig{Name: string(rune('a' + i)), DSN: servers.Database(i).URL("pool_max_conns=15")})
	}
	cl := must(cluster.New(pgxdb.Probe(), nodes, cluster.WithInterval(200*time.Millisecond), cluster.WithProbeTimeout(300*time.Millisecond),
		cluster.WithOnChange(func(c cluster.Change) { t.Logf("view: %+v", c) })))
	t.Cleanup(func() { _ = cl.Close() })
	pool := must(pgxdb.NewCluster(t.Context(), cl, sp.NewChain(must(retry.New()), must(breaker.New()))))
	t.Cleanup(pool.Close)
	if err := cl.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL)",
		"CREATE TABLE journal (n bigserial PRIMARY KEY, id text NOT NULL)",
		fmt.Sprintf("INSERT INTO accounts SELECT i, 1000 FROM generate_series(0, %d) AS i", ledgerAccounts-1),
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return cl, pool
}

// keep has workers transfer, and read what they have transferred, while befall
// happens to the servers.
func keep(t *testing.T, pool *pgxdb.Pool, verified bool, befall func()) *journal {
	t.Helper()
	l := &journal{errs: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range ledgerWorkers {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("%d-%d", w, n)
				from, to := (w*31+n)%ledgerAccounts, (w*17+n*7+1)%ledgerAccounts
				unit := t.Context()
				if verified {
					unit = sp.WithVerifyCommit(unit, func(ctx context.Context) (there bool, err error) {
						err = pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM journal WHERE id = $1)", id).Scan(&there)
						return there, err
					})
				}
				l.note(id, oneTransfer(unit, pool, id, min(from, to), max(from, to)))
				if err := oneRead(t.Context(), pool, from); err != nil {
					t.Errorf("read: %v", err)
				}
			}
		})
	}
	befall()
	time.Sleep(1500 * time.Millisecond)
	stop()
	wg.Wait()
	return l
}

// oneTransfer moves an amount and writes that into the journal.
func oneTransfer(ctx context.Context, pool *pgxdb.Pool, id string, from, to int) error {
	ctx, cancel := context.WithTimeout(ctx, callersPatience)
	defer cancel()
	return pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance - 1 WHERE id = $1", from); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance + 1 WHERE id = $1", to); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO journal (id) VALUES ($1)", id)
		return err
	})
}

// oneRead reads a balance, from a replica if there is one.
func oneRead(ctx context.Context, pool *pgxdb.Pool, id int) error {
	ctx, cancel := context.WithTimeout(sp.WithReadOnly(ctx), callersPatience)
	defer cancel()
	var n int
	err := pool.QueryRow(ctx, "SELECT balance FROM accounts WHERE id = $1", id).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // a replica that has not come so far
	}
	return err
}

// check compares what callers know with what server i has.
func (l *journal) check(t *testing.T, servers *dbtest.Cluster, i int) (lost int) {
	t.Helper()
	out, err := servers.Database(i).Query(t.Context(), "SELECT id FROM journal;\nSELECT 'total', sum(balance) FROM accounts")
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for line := range strings.SplitSeq(out, "\n") {
		times[line]++
	}
	if total := fmt.Sprintf("total|%d", ledgerAccounts*1000); times[total] != 1 {
		t.Errorf("the accounts do not hold %s", total)
	}
	for id, n := range times {
		if n > 1 {
			t.Errorf("transfer %s was made %d times", id, n)
		}
	}
	for _, id := range l.failed {
		if times[id] > 0 {
			t.Errorf("transfer %s has failed and is there", id)
		}
	}
	for _, id := range l.acked {
		if times[id] == 0 {
			lost++
		}
	}
	there := 0
	for _, id := range l.unknown {
		there += times[id]
	}
	t.Logf("%d acknowledged, %d of them lost; %d unknown, %d of them there; %d failed; gap %v",
		len(l.acked), lost, len(l.unknown), there, len(l.failed), l.gap.Round(time.Millisecond))
	if len(l.failed) > 0 {
		t.Errorf("%d transfers have failed: %v", len(l.failed), l.errs)
	}
	return lost
}

// checkFork looks for transfers that server 0 has and server 1 has not: only ones
// that were under way when the one stopped being the primary.
func (l *journal) checkFork(t *testing.T, servers *dbtest.Cluster) {
	t.Helper()
	has := func(i int) map[string]bool {
		out, err := servers.Database(i).Query(t.Context(), "SELECT id FROM journal")
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for id := range strings.SplitSeq(out, "\n") {
			ids[id] = true
		}
		return ids
	}
	fork, now := has(0), has(1)
	for id := range fork {
		if !now[id] && !slices.Contains(l.unknown, id) {
			t.Errorf("transfer %s was made on the old primary alone", id)
		}
	}
	t.Logf("%d transfers on the old primary, %d on the new", len(fork), len(now))
}

// Whatever befalls the primary, no transfer fails within its callers' patience,
// none is made twice, and none that was acknowledged is lost if the standby had
// to have it.
func TestTheLedgerOfACluster(t *testing.T) {
	t.Parallel()
	promoteAfter := func(t *testing.T, servers *dbtest.Cluster, d time.Duration) {
		time.Sleep(d)
		if err := servers.Servers[1].Promote(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		what        string
		synchronous int
		befall      func(t *testing.T, servers *dbtest.Cluster)
		primary     int
		fork        bool // server 0 comes back, and must have nothing that was begun since
		verified    bool // by callers who look into the journal after a lost COMMIT
	}{
		{"killed, promoted", 1, func(t *testing.T, s *dbtest.Cluster) { _ = s.Servers[0].Kill(); promoteAfter(t, s, time.Second) }, 1, false, false},
		{"killed, promoted, verified", 1, func(t *testing.T, s *dbtest.Cluster) { _ = s.Servers[0].Kill(); promoteAfter(t, s, time.Second) }, 1, false, true},
		{"stopped, promoted, verified", 1, func(t *testing.T, s *dbtest.Cluster) { _ = s.Servers[0].Stop(); promoteAfter(t, s, time.Second) }, 1, false, true},
		{"stopped, promoted", 1, func(t *testing.T, s *dbtest.Cluster) { _ = s.Servers[0].Stop(); promoteAfter(t, s, time.Second) }, 1, false, false},
		{"killed, promoted, asynchronous", 0, func(t *testing.T, s *dbtest.Cluster) { _ = s.Servers[0].Kill(); promoteAfter(t, s, time.Second) }, 1, false, false},
		{"frozen, promoted, back as a fork", 1, func(t *testing.T, s *dbtest.Cluster) {
			_ = s.Servers[0].Pause()
			promoteAfter(t, s, 2*time.Second)
			time.Sleep(time.Second)
			_ = s.Servers[0].Resume()
		}, 1, true, false},
		{"killed, promoted, back as a fork", 1, func(t *testing.T, s *dbtest.Cluster) {
			_ = s.Servers[0].Kill()
			promoteAfter(t, s, time.Second)
			if err := s.Servers[0].Restart(t.Context()); err != nil {
				t.Error(err)
			}
		}, 1, true, false},
		{"restarted", 0, func(t *testing.T, s *dbtest.Cluster) {
			if err := s.Servers[0].Restart(t.Context()); err != nil {
				t.Error(err)
			}
		}, 0, false, false},
		{"all sessions ended", 0, func(t *testing.T, s *dbtest.Cluster) {
			_, _ = s.Servers[0].Admin().Query(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+s.Database(0).Name+"'")
		}, 0, false, false},
		{"its standby frozen", 0, func(_ *testing.T, s *dbtest.Cluster) {
			_ = s.Servers[1].Pause()
			time.Sleep(3 * time.Second)
			_ = s.Servers[1].Resume()
		}, 0, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			servers := dbtest.NewCluster(t, 1)
			if err := servers.Synchronous(t.Context(), 0, c.synchronous); err != nil {
				t.Fatal(err)
			}
			_, pool := openLedger(t, servers)
			l := keep(t, pool, c.verified, func() {
				time.Sleep(time.Second)
				c.befall(t, servers)
			})
			if lost := l.check(t, servers, c.primary); lost > 0 && (c.synchronous > 0 || c.primary == 0) {
				t.Errorf("%d acknowledged transfers are lost", lost)
			}
			if c.verified && len(l.unknown) > 0 {
				t.Errorf("%d transfers stayed unknown", len(l.unknown))
			}
			if c.fork {
				l.checkFork(t, servers)
			}
		})
	}
}
