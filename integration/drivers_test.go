package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// TestRealDriversLoseNothing compares what each driver tells of a query with
// and without this library in between.
func TestRealDriversLoseNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		dsn := d.dsn(t)
		plain := must(sql.Open(d.driver, dsn))
		defer plain.Close()
		mustExec(t, plain, "CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(20), price DECIMAL(10,2) NOT NULL, born TIMESTAMP)",
			"INSERT INTO things VALUES (1, 'one', 1.50, '2026-01-02 03:04:05'), (2, NULL, 2, '2026-01-02 03:04:05')")
		bare := must(sqldb.Open(d.driver, dsn, sp.Chain{}))
		defer bare.Close()
		w := &watch{}
		ours := must(sqldb.Open(d.driver, dsn, sp.NewChain(w)))
		defer ours.Close()

		want := describe(t, d, plain)
		for name, db := range map[string]*sql.DB{"empty chain": bare, "chain": ours} {
			if got := describe(t, d, db); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got  %v\nwant %v", name, got, want)
			}
			if reflect.TypeOf(db.Driver()) != reflect.TypeOf(plain.Driver()) {
				t.Errorf("%s: Driver() is %T, want %T", name, db.Driver(), plain.Driver())
			}
		}
		if n := w.open(); n != 0 {
			t.Errorf("%d calls were never finished", n)
		}
		for _, c := range w.of(sp.OpQuery) {
			if c.target.System != d.system {
				t.Errorf("the call says its database is %q, want %q", c.target.System, d.system)
			}
			if strings.Contains(c.text, "things") && c.rows != 2 {
				t.Errorf("%d rows were counted, want 2", c.rows)
			}
		}
	})
}

// column is what a driver tells of a column.
type column struct {
	name, typeName   string
	scan             reflect.Type
	length           int64
	hasLength        bool
	nullable, known  bool
	precision, scale int64
	hasDecimal       bool
}

// describe reads a table every way there is: as text, prepared, and in a
// transaction.
func describe(t *testing.T, d database, db *sql.DB) (out []any) {
	t.Helper()
	ctx := context.Background()
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	const text = "SELECT id, name, price, born FROM things WHERE id > ? ORDER BY id"
	stmt := must(db.PrepareContext(ctx, d.bind(text)))
	defer stmt.Close()
	tx := must(db.BeginTx(ctx, nil))
	defer tx.Rollback()
	for _, query := range []func() (*sql.Rows, error){
		func() (*sql.Rows, error) { return db.QueryContext(ctx, d.bind(text), 0) },
		func() (*sql.Rows, error) { return stmt.QueryContext(ctx, int8(0)) },
		func() (*sql.Rows, error) { return tx.QueryContext(ctx, d.bind(text), 0) },
	} {
		rows := must(query())
		for _, c := range must(rows.ColumnTypes()) {
			col := column{name: c.Name(), typeName: c.DatabaseTypeName(), scan: c.ScanType()}
			col.length, col.hasLength = c.Length()
			col.nullable, col.known = c.Nullable()
			col.precision, col.scale, col.hasDecimal = c.DecimalSize()
			out = append(out, col)
		}
		for rows.Next() {
			var id, name, price, born any
			if err := rows.Scan(&id, &name, &price, &born); err != nil {
				t.Fatal(err)
			}
			out = append(out, id, name, price, born)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRawGivesTheDriversConnection reaches what only the driver offers.
func TestRawGivesTheDriversConnection(t *testing.T) {
	t.Parallel()
	for _, d := range databases[:2] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t, &watch{})
			conn := must(db.Conn(t.Context()))
			defer conn.Close()
			err := conn.Raw(func(c any) error {
				switch raw := sqldb.Raw(c).(type) {
				case *stdlib.Conn:
					return raw.Conn().Ping(t.Context())
				case interface{ CheckNamedValue(*sql.NamedArg) error }:
					return nil
				default:
					if !strings.HasPrefix(reflect.TypeOf(raw).String(), "*pq.") {
						t.Errorf("Raw gives %T", raw)
					}
					return nil
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestIsolationLevelsReachTheServer asks the server which level it got.
func TestIsolationLevelsReachTheServer(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		db := d.open(t, &watch{})
		mustExec(t, db, "CREATE TABLE things (id INTEGER PRIMARY KEY)")
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: d.system == sp.PostgreSQL})
		if d.system == sp.SQLite && err != nil {
			return // its driver refuses what SQLite can't do, and so do we
		}
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		var level string
		switch d.system {
		case sp.PostgreSQL:
			var readOnly string
			if err := tx.QueryRowContext(t.Context(), "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')").Scan(&level, &readOnly); err != nil {
				t.Fatal(err)
			}
			if readOnly != "on" {
				t.Errorf("read-only is %s", readOnly)
			}
		case sp.MariaDB:
			// A transaction is known to InnoDB from its first change on.
			mustExec(t, tx, "INSERT INTO things VALUES (1)")
			if err := tx.QueryRowContext(t.Context(), "SELECT trx_isolation_level FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID()").Scan(&level); err != nil {
				t.Fatal(err)
			}
		default:
			return
		}
		if !strings.EqualFold(level, "serializable") {
			t.Errorf("the server runs the transaction at %q", level)
		}
	})
}

// TestACancelledQueryLeavesAUsablePool cancels queries at work.
func TestACancelledQueryLeavesAUsablePool(t *testing.T) {
	t.Parallel()
	sleep := map[string]string{"pgx": "SELECT pg_sleep(30)", "postgres": "SELECT pg_sleep(30)", "mysql": "SELECT SLEEP(30)"}
	for _, d := range databases[:3] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			w := &watch{}
			db := d.open(t, w)
			db.SetMaxOpenConns(2)
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				var v any
				err := db.QueryRowContext(ctx, sleep[d.driver]).Scan(&v)
				cancel()
				if err == nil {
					t.Fatal("the query outlived its context")
				}
			}
			if got := scalar[int](t, db, "SELECT 42"); got != 42 {
				t.Errorf("got %d", got)
			}
			if n := w.open(); n != 0 {
				t.Errorf("%d calls were never finished", n)
			}
			for _, v := range w.verdicts {
				if v.Retry != 0 || v.Breaker != 0 {
					t.Errorf("a caller's cancellation was judged %+v", v)
				}
			}
		})
	}
}

// TestConnectErrorsTellNoPassword tries wrong passwords, databases and ports.
func TestConnectErrorsTellNoPassword(t *testing.T) {
	t.Parallel()
	const secret = "hunter22-secret"
	pg, maria := databases[0].dsn(t), databases[2].dsn(t)
	tests := map[string]struct{ driver, dsn string }{
		"pgx, password":      {"pgx", withPassword(pg, secret)},
		"lib/pq, password":   {"postgres", withPassword(pg, secret)},
		"mysql, password":    {"mysql", withPassword(maria, secret)},
		"pgx, unreachable":   {"pgx", "postgres://u:" + secret + "@127.0.0.1:1/d"},
		"pq, unreachable":    {"postgres", "postgres://u:" + secret + "@127.0.0.1:1/d"},
		"mysql, unreachable": {"mysql", "u:" + secret + "@tcp(127.0.0.1:1)/d"},
		"pgx, malformed":     {"pgx", "postgres://u:" + secret + "@127.0.0.1:port/d"},
		"pq, malformed":      {"postgres", "postgres://u:" + secret + "@127.0.0.1:port/d"},
		"mysql, malformed":   {"mysql", "u:" + secret + "@tcp(127.0.0.1:1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqldb.Open(test.driver, test.dsn, sp.NewChain(&watch{}))
			if err == nil {
				defer db.Close()
				err = db.PingContext(t.Context())
			}
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the password is in the error: %v", err)
			}
			var me *mysql.MySQLError
			var pe *pq.Error
			t.Logf("%v (driver's error: %t)", err, errors.As(err, &me) || errors.As(err, &pe))
		})
	}
}

// withPassword replaces the password of a data source name.
func withPassword(dsn, password string) string {
	scheme, rest, isURL := strings.Cut(dsn, "://")
	if !isURL {
		rest, scheme = dsn, ""
	}
	user, _, _ := strings.Cut(rest, ":")
	_, host, _ := strings.Cut(rest, "@")
	out := user + ":" + password + "@" + host
	if isURL {
		return scheme + "://" + out
	}
	return out
}
