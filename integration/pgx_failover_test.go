package integration_test

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/preset"
	"github.com/sessionproxy/sessionproxy/retry"
)

// TestASchemaChangeIsSurvived changes a table under prepared statements: the
// server answers 0A000, cached plan must not change result type.
func TestASchemaChangeIsSurvived(t *testing.T) {
	t.Parallel()
	w := &watch{}
	server := dbtest.Postgres(t).Database(t)
	pool := openPGX(t, server.URL(), fullChain(w), size(1))
	other := must(pgx.Connect(t.Context(), server.URL()))
	defer other.Close(context.Background())
	pgxExec(t, other, "CREATE TABLE things (id int)", "INSERT INTO things VALUES (1)")
	columns := func(ctx context.Context, db querier) int {
		rows, err := db.Query(ctx, "SELECT * FROM things")
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}

	if n := columns(t.Context(), pool); n != 1 {
		t.Fatalf("%d columns", n)
	}
	pgxExec(t, other, "ALTER TABLE things ADD COLUMN name text")
	if n := columns(t.Context(), pool); n != 2 {
		t.Errorf("alone: %d columns after the change, want 2", n)
	}
	if n := w.count(sp.EventRetry); n != 1 {
		t.Errorf("alone: %d retries, want 1", n)
	}

	// Within a unit the transaction is lost: the unit is performed again.
	pgxExec(t, other, "ALTER TABLE things ADD COLUMN size int")
	runs := 0
	err := pool.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		rows, err := tx.Query(ctx, "SELECT * FROM things")
		if err != nil {
			return err
		}
		got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
		if err == nil && len(got) != 3 {
			t.Errorf("in a unit: %d columns after the change, want 3", len(got))
		}
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("in a unit: performed %d times, error %v", runs, err)
	}
	if made := pool.Stat().NewConnsCount(); made != 1 {
		t.Errorf("the pool made %d connections: nothing was wrong with the first", made)
	}
}

// TestAWriteFindsTheNewPrimary turns a server into one that only reads while
// the pool is connected to it, and has the address lead to another one.
func TestAWriteFindsTheNewPrimary(t *testing.T) {
	t.Parallel()
	const conns = 2
	old, promoted := dbtest.Private(t, dbtest.KindPostgres), dbtest.Private(t, dbtest.KindPostgres)
	from, to := old.Admin(), promoted.Admin()
	var primary atomic.Pointer[dbtest.Database]
	primary.Store(&from)
	w := &watch{}
	pool := openPGX(t, from.URL(), fullChain(w), size(conns), func(c *pgxpool.Config) {
		c.ConnConfig.Password = from.Password
		c.ConnConfig.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
			db := primary.Load()
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(db.Host, strconv.Itoa(db.Port)))
		}
	})
	for _, db := range []dbtest.Database{from, to} {
		if _, err := db.Query(t.Context(), "CREATE TABLE writes (n int)"); err != nil {
			t.Fatal(err)
		}
	}
	insert := func(ctx context.Context, db pgxExecutor) error {
		_, err := db.Exec(ctx, "INSERT INTO writes VALUES ($1)", 1)
		return err
	}
	// Every connection leads to the old primary, which turns read only under it.
	var held [conns]*pgxdb.PoolConn
	for i := range held {
		held[i] = must(pool.Acquire(t.Context()))
		if err := insert(t.Context(), held[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"} {
		if _, err := from.Query(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range held {
		eventually(t, "the session has read its configuration", func() bool {
			return pgxScalar[string](t, c, "SHOW default_transaction_read_only") == "on"
		})
		c.Release()
	}
	primary.Store(&to)
	if err := insert(t.Context(), pool); err != nil {
		t.Errorf("a statement alone: %v", err)
	}
	err := pool.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error { return insert(ctx, tx) })
	if err != nil {
		t.Errorf("a unit of work: %v", err)
	}
	for db, want := range map[*dbtest.Database]string{&from: "2", &to: "2"} {
		if n, err := db.Query(t.Context(), "SELECT count(*) FROM writes"); n != want || err != nil {
			t.Errorf("%s rows at %s, want %s (%v)", n, db, want, err)
		}
	}
	if w.count(sp.EventRetry) == 0 {
		t.Error("nothing was retried: no write has met the old primary")
	}
	for _, v := range w.verdicts {
		if v.Class != fault.ClassReadOnly {
			t.Errorf("a call failed for good: %+v", v)
		}
	}
}

// TestAPromotionFailsNoUnit kills a primary and promotes its standby only when calls
// have found that neither host writes. The chain is the recommended one; its pauses
// are longer, for a machine that is slow to promote.
func TestAPromotionFailsNoUnit(t *testing.T) {
	t.Parallel()
	const callers = 8
	primary := dbtest.Private(t, dbtest.KindPostgres)
	standby, giveBack, err := primary.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := giveBack(); err != nil {
			t.Error(err)
		}
	})
	admin := primary.Admin()
	if _, err := admin.Query(t.Context(), "CREATE TABLE writes (n int)"); err != nil {
		t.Fatal(err)
	}
	both := must(url.Parse(admin.URL()))
	both.Host += "," + net.JoinHostPort("127.0.0.1", strconv.Itoa(standby.Admin().Port))
	q := both.Query()
	q.Set("target_session_attrs", "read-write")
	both.RawQuery = q.Encode()

	w := &watch{}
	p := must(preset.New(preset.WithInterceptors(w), preset.WithLimit(callers), preset.WithRetry(retry.WithBackoff(retry.Failover, 2*time.Second, 5*time.Second))))
	config := must(pgxpool.ParseConfig(both.String()))
	config.ConnConfig.Password = admin.Password
	pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, p.Chain()))
	defer pool.Close()
	unit := func() error {
		return pool.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO writes VALUES (1)")
			return err
		})
	}
	if err := pool.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			if err := unit(); err != nil {
				t.Errorf("a unit of work: %v", err)
			}
		})
	}
	eventually(t, "calls wait for a host that writes", func() bool { return w.count(sp.EventRetry) >= callers })
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	kept := admin
	kept.Port, kept.Socket = standby.Admin().Port, standby.Admin().Socket
	if n, err := kept.Query(t.Context(), "SELECT count(*) FROM writes"); n != strconv.Itoa(callers) || err != nil {
		t.Errorf("%s rows, want %d (%v)", n, callers, err)
	}
}
