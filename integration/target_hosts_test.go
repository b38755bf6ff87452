package integration_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// attributeOf returns an attribute of a span as text, or "".
func attributeOf(s tracetest.SpanStub, key string) string {
	set := attribute.NewSet(s.Attributes...)
	if v, ok := set.Value(attribute.Key(key)); ok {
		return v.String()
	}
	return ""
}

// TestTheTargetIsTheHostThatWasReached opens a database of two hosts, of which the
// first is down: every span, that of the connection too, names the second, and the
// statements of a connection have the second's circuit.
func TestTheTargetIsTheHostThatWasReached(t *testing.T) {
	t.Parallel()
	down := closedPort(t)
	onDB := func(open func(db dbtest.Database, chain sp.Chain) (*sqldb.DB, error)) func(*testing.T, dbtest.Database, sp.Chain) {
		return func(t *testing.T, db dbtest.Database, chain sp.Chain) {
			t.Helper()
			h := must(open(db, chain))
			defer h.Close()
			mustExec(t, h, "CREATE TABLE reached (id INT)")
		}
	}
	words := func(db dbtest.Database) string {
		return fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d user=%s password=%s dbname=%s sslmode=disable", down, db.Port, db.User, db.Password, db.Name)
	}
	wrapped := func(driver string) func(*testing.T, dbtest.Database, sp.Chain) {
		return onDB(func(db dbtest.Database, chain sp.Chain) (*sqldb.DB, error) {
			return sqldb.Wrap(must(sqldb.Open(driver, words(db), chain)))
		})
	}
	onEngine := func(scheme string) func(*testing.T, dbtest.Database, sp.Chain) {
		return func(t *testing.T, db dbtest.Database, chain sp.Chain) {
			t.Helper()
			url := fmt.Sprintf("%s://%s:%s@127.0.0.1:%d,127.0.0.1:%d/%s", scheme, db.User, db.Password, down, db.Port, db.Name)
			eng := must(engine.Open(t.Context(), url, engine.WithChain(chain)))
			defer eng.Dispose()
			must(eng.Execute(t.Context(), engine.Text("CREATE TABLE reached (id INT)")))
		}
	}
	postgres := func(t testing.TB) dbtest.Database { return dbtest.Postgres(t).Database(t) }
	mariadb := func(t testing.TB) dbtest.Database { return dbtest.MariaDB(t).Database(t) }
	for name, way := range map[string]struct {
		server func(testing.TB) dbtest.Database
		use    func(*testing.T, dbtest.Database, sp.Chain)
	}{
		"pgx":    {postgres, wrapped("pgx")},
		"lib/pq": {postgres, wrapped("postgres")},
		"a connector of pgx": {postgres, onDB(func(db dbtest.Database, chain sp.Chain) (*sqldb.DB, error) {
			return sqldb.Wrap(sqldb.OpenDB(stdlib.GetConnector(*must(pgx.ParseConfig(words(db)))), chain))
		})},
		"a connector of lib/pq": {postgres, onDB(func(db dbtest.Database, chain sp.Chain) (*sqldb.DB, error) {
			return sqldb.Wrap(sqldb.OpenDB(must(pq.NewConnector(words(db))), chain))
		})},
		"a pool": {postgres, func(t *testing.T, db dbtest.Database, chain sp.Chain) {
			t.Helper()
			pool := must(pgxdb.NewPool(t.Context(), words(db), chain))
			defer pool.Close()
			must(pool.Exec(t.Context(), "CREATE TABLE reached (id INT)"))
		}},
		"pgx's own pool": {postgres, func(t *testing.T, db dbtest.Database, chain sp.Chain) {
			t.Helper()
			config := must(pgxpool.ParseConfig(words(db)))
			config.ConnConfig.Tracer = must(pgxdb.NewTracer(chain.Observers()))
			pool := must(pgxpool.NewWithConfig(t.Context(), config))
			defer pool.Close()
			must(pool.Exec(t.Context(), "CREATE TABLE reached (id INT)"))
		}},
		"the engine on PostgreSQL": {postgres, onEngine("postgres")},
		"the engine on MariaDB":    {mariadb, onEngine("mysql")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := way.server(t)
			telemetry, w := collect(t), &watch{}
			brk := must(breaker.New())
			way.use(t, db, sp.NewChain(telemetry.tracing, w, brk))
			spans := telemetry.take()
			if len(spans) < 2 {
				t.Fatalf("%d spans, want those of the connection and the statement at least", len(spans))
			}
			for _, s := range spans {
				if got := attributeOf(s, "server.address") + ":" + attributeOf(s, "server.port"); got != "127.0.0.1:"+strconv.Itoa(db.Port) {
					t.Errorf("span %q is said to be of %s, its connection reached %d (%d is down)", s.Name, got, db.Port, down)
				}
			}
		})
	}
}

// TestTheCircuitIsThatOfTheHostThatWasReached has a statement on a connection to
// the second of two hosts fail: its circuit opens, not that of the first, which
// nobody has reached.
func TestTheCircuitIsThatOfTheHostThatWasReached(t *testing.T) {
	t.Parallel()
	down := closedPort(t)
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := dbtest.Postgres(t).Database(t)
			brk := must(breaker.New(breaker.WithConsecutiveFailures(1), breaker.WithFirstOpenTime(time.Hour), breaker.WithOpenTime(time.Hour)))
			dsn := fmt.Sprintf("host=127.0.0.1,127.0.0.1 port=%d,%d user=%s password=%s dbname=%s sslmode=disable", down, db.Port, db.User, db.Password, db.Name)
			lost := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
				return func(ctx context.Context, call *sp.Call) error {
					if call.Op == sp.OpExec {
						return &net.OpError{Op: "read", Err: syscall.ECONNRESET}
					}
					return next(ctx, call)
				}
			})
			plain := must(sqldb.Open(driver, dsn, sp.NewChain(brk, lost)))
			defer plain.Close()
			if _, err := plain.ExecContext(t.Context(), "SELECT 1"); err == nil {
				t.Fatal("the statement went through")
			}
			reached := sp.Target{System: sp.PostgreSQL, Host: "127.0.0.1", Port: db.Port, Namespace: db.Name, User: db.User}
			first := reached
			first.Port = down
			if got := brk.State(&reached); got != breaker.StateOpen {
				t.Errorf("the circuit of the host that was reached is %v", got)
			}
			if got := brk.State(&first); got != breaker.StateClosed {
				t.Errorf("the circuit of the host that is down is %v", got)
			}
		})
	}
}

// TestAKillGoesToTheServerOfTheConnection cancels a statement on the second of two
// servers of MySQL's list, after the first has come back. There the number of the
// connection is somebody else's.
func TestAKillGoesToTheServerOfTheConnection(t *testing.T) {
	t.Parallel()
	db := dbtest.MariaDB(t).Database(t)
	first := closedPort(t)
	url := fmt.Sprintf("mysql://%s:%s@127.0.0.1:%d,127.0.0.1:%d/%s", db.User, db.Password, first, db.Port, db.Name)
	eng := must(engine.Open(t.Context(), url))
	defer eng.Dispose()
	conn := must(eng.Connect(t.Context()))
	defer conn.Close(context.Background())

	back := must(net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(first)))
	var asked atomic.Int32
	go func() {
		for {
			c, err := back.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			_ = c.Close()
		}
	}()
	defer back.Close()
	sleeping := func() bool {
		return strings.TrimSpace(must(db.Query(t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"))) != "0"
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		_, err := conn.Execute(ctx, engine.Text("SELECT SLEEP(120)"))
		over <- err
	}()
	eventually(t, "the statement to run", sleeping)
	cancel()
	if err := <-over; err == nil {
		t.Error("the statement was not cancelled")
	}
	eventually(t, "the server to end the statement", func() bool { return !sleeping() })
	if n := asked.Load(); n != 0 {
		t.Errorf("the other server was asked %d times to kill a connection that it does not have", n)
	}
}
