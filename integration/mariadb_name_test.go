package integration_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestMariaDBIsMariaDBFromItsFirstSpan opens a real one in every way there is: all
// spans say mariadb, that of the first connection too, and there is one circuit.
func TestMariaDBIsMariaDBFromItsFirstSpan(t *testing.T) {
	t.Parallel()
	use := func(t *testing.T, db *sql.DB) {
		t.Helper()
		defer db.Close()
		mustExec(t, db, "CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
	}
	onEngine := func(scheme string) func(*testing.T, dbtest.Database, sp.Chain) {
		return func(t *testing.T, d dbtest.Database, chain sp.Chain) {
			t.Helper()
			url := scheme + d.URL()[len("mysql"):]
			eng := must(engine.Open(t.Context(), url, engine.WithChain(chain)))
			defer eng.Dispose() //nolint:errcheck // the test is over
			must(eng.Execute(t.Context(), engine.Text("CREATE TABLE t (id INT)")))
			if got := eng.Target().System; got != sp.MariaDB {
				t.Errorf("the engine is of %s", got)
			}
		}
	}
	for name, open := range map[string]func(t *testing.T, d dbtest.Database, chain sp.Chain){
		"Open": func(t *testing.T, d dbtest.Database, chain sp.Chain) {
			t.Helper()
			use(t, must(sqldb.Open("mysql", d.DSN(), chain)))
		},
		"a name of Register": func(t *testing.T, d dbtest.Database, chain sp.Chain) {
			t.Helper()
			sqldb.Register("named-"+d.Name, &mysql.MySQLDriver{}, chain)
			use(t, must(sql.Open("named-"+d.Name, d.DSN())))
		},
		"OpenDB": func(t *testing.T, d dbtest.Database, chain sp.Chain) {
			t.Helper()
			use(t, sqldb.OpenDB(must(mysql.NewConnector(must(mysql.ParseDSN(d.DSN())))), chain))
		},
		"a handle": func(t *testing.T, d dbtest.Database, chain sp.Chain) {
			t.Helper()
			h := must(sqldb.Wrap(must(sqldb.Open("mysql", d.DSN(), chain))))
			defer h.Close() //nolint:errcheck // the test is over
			mustExec(t, h, "CREATE TABLE t (id INT)")
		},
		"the engine, mysql://":   onEngine("mysql"),
		"the engine, mariadb://": onEngine("mariadb"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, c := dbtest.MariaDB(t).Database(t), collect(t)
			circuits := map[sp.Target]bool{}
			brk := must(breaker.New())
			keys := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
				return func(ctx context.Context, call *sp.Call) error {
					circuits[call.Target.Key()] = true
					return next(ctx, call)
				}
			})
			open(t, d, sp.NewChain(c.tracing, keys, brk))
			spans := c.take()
			if len(spans) < 2 || len(named(spans, "connect "+d.Name)) == 0 {
				t.Errorf("%d spans, want those of the connection and of a statement", len(spans))
			}
			for _, s := range spans {
				if got := attributeOf(s, "db.system.name"); got != "mariadb" {
					t.Errorf("span %q is of %s", s.Name, got)
				}
			}
			if len(circuits) != 1 {
				t.Errorf("%d circuits: %v", len(circuits), circuits)
			}
		})
	}
}
