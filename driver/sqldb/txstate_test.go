package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/retry"
)

// scriptedConn answers statements by their text.
type scriptedConn struct {
	*minimalConn
	answer func(query string) ([]driver.Value, error) // nil values: no rows
}

func (c scriptedConn) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	c.log.add("%s", q)
	_, err := c.answer(q)
	return driver.RowsAffected(1), err
}

func (c scriptedConn) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	c.log.add("%s", q)
	values, err := c.answer(q)
	if err != nil {
		return nil, err
	}
	return &valueRows{values: values}, nil
}

// valueRows are one row, or none.
type valueRows struct {
	values []driver.Value
	err    error // at the end
}

func (r *valueRows) Columns() []string { return make([]string, len(r.values)) }
func (r *valueRows) Close() error      { return nil }

func (r *valueRows) Next(dest []driver.Value) error {
	switch {
	case len(r.values) > 0:
		copy(dest, r.values)
		r.values = nil
		return nil
	case r.err != nil:
		return r.err
	}
	return io.EOF
}

// openScripted opens a database of a system on scripted connections, one at a
// time.
func openScripted(t *testing.T, system sp.System, answer func(string) ([]driver.Value, error), chain ...sp.Interceptor) (*sql.DB, *journal) {
	t.Helper()
	log := &journal{}
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
		log.add("open")
		return scriptedConn{&minimalConn{log: log}, answer}, nil
	}}, sp.NewChain(chain...), sqldb.WithTarget(sp.Target{System: system}))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db, log
}

func silent(string) ([]driver.Value, error) { return nil, nil }

// The statements in lower case tell whether they are taken for statements in a
// transaction, by a "+" at their end.
func TestTransactionsBegunByTextAreKnown(t *testing.T) {
	t.Parallel()
	for system, script := range map[sp.System][]string{
		sp.PostgreSQL: {
			"select-", "BEGIN", "select+", "SAVEPOINT a", "select+", "ROLLBACK TO SAVEPOINT a", "select+", "COMMIT", "select-",
			"START TRANSACTION ISOLATION LEVEL SERIALIZABLE", "select+", "COMMIT AND CHAIN", "select+", "ROLLBACK WORK", "select-",
			"SET ROLE app", "select-", "CALL p()", "select-", "SELECT 1; BEGIN", "select+", "END", "select-",
		},
		sp.MySQL: {
			"select-", " -- x\n/* y */ Begin", "select+", "COMMIT", "select-", "START TRANSACTION", "select+", "ROLLBACK TO SAVEPOINT a", "select+",
			"ROLLBACK WORK", "select-", "BEGIN", "COMMIT AND CHAIN", "select+", "COMMIT", "select-",
			"CREATE TABLE t (n INT)", "SET NAMES utf8mb4", "SHOW TABLES", "select-",
			// From here on nothing that is said ends the doubt.
			"SET autocommit=0", "select+", "COMMIT", "select+", "SET autocommit=1", "select+",
		},
		sp.MariaDB: {"CALL p()", "select+", "COMMIT", "select+"},
		sp.SQLite: {
			"BEGIN IMMEDIATE", "select+", "COMMIT", "select-", "SAVEPOINT a", "select+", "RELEASE a", "select+", "END", "select-",
			"PRAGMA foreign_keys = on", "VACUUM", "select-",
		},
		sp.OtherSQL: {"select-", "CREATE TABLE t (n INT)", "select-", "BEGIN", "select+", "COMMIT", "select+"},
	} {
		t.Run(string(system), func(t *testing.T) {
			t.Parallel()
			rec := &recorder{}
			db, _ := openScripted(t, system, silent, rec)
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for i, q := range script {
				text, isSelect := "SELECT 1", strings.HasPrefix(q, "select")
				if !isSelect {
					text = q
				}
				if _, err := conn.ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
				if isSelect && rec.calls[len(rec.calls)-1].inTx != strings.HasSuffix(q, "+") {
					t.Errorf("statement %d, after %q: in a transaction %t", i, script[i-1], !strings.HasSuffix(q, "+"))
				}
			}
		})
	}
}

// deadlockOnce fails UPDATE b with a deadlock once, which undoes a transaction.
func deadlockOnce() func(string) ([]driver.Value, error) {
	failed := false
	return func(q string) ([]driver.Value, error) {
		if q == "UPDATE b SET n = 1" && !failed {
			failed = true
			return nil, &mysql.MySQLError{Number: 1213, Message: "Deadlock found"}
		}
		return nil, nil
	}
}

func TestNothingIsRetriedWhereATransactionMayBeOpen(t *testing.T) {
	t.Parallel()
	type runner func(ctx context.Context, conn *sql.Conn) error
	exec := func(texts ...string) runner {
		return func(ctx context.Context, conn *sql.Conn) (err error) {
			for _, q := range texts {
				_, xerr := conn.ExecContext(ctx, q)
				err = errors.Join(err, xerr)
			}
			return err
		}
	}
	for name, begin := range map[string]runner{
		"BEGIN":            exec("BEGIN"),
		"autocommit":       exec("SET autocommit=0"),
		"COMMIT AND CHAIN": exec("BEGIN", "UPDATE x", "COMMIT AND CHAIN"),
		"several":          exec("SET @a = 1; START TRANSACTION"),
		"SET STATEMENT":    exec("SET STATEMENT max_statement_time=1 FOR START TRANSACTION"),
		"CALL":             exec("CALL p()"),
		"by Query": func(ctx context.Context, conn *sql.Conn) error {
			rows, err := conn.QueryContext(ctx, "BEGIN")
			if err != nil {
				return err
			}
			return errors.Join(rows.Err(), rows.Close())
		},
		"by a prepared statement": func(ctx context.Context, conn *sql.Conn) error {
			stmt, err := conn.PrepareContext(ctx, "START TRANSACTION")
			if err != nil {
				return err
			}
			_, err = stmt.ExecContext(ctx)
			return errors.Join(err, stmt.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, log := openScripted(t, sp.MySQL, deadlockOnce(), retrier(t))
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := begin(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			_, first := conn.ExecContext(t.Context(), "UPDATE a")
			_, second := conn.ExecContext(t.Context(), "UPDATE b SET n = 1")
			if first != nil || second == nil || log.count("UPDATE b SET n = 1") != 1 {
				t.Errorf("%v, %v, driver saw %q; want the second statement to fail and not to be retried alone", first, second, log.all())
			}
		})
	}
	t.Run("in the pool", func(t *testing.T) {
		t.Parallel()
		db, log := openScripted(t, sp.MySQL, deadlockOnce(), retrier(t))
		h := wrap(t, db)
		for _, q := range []string{"BEGIN", "UPDATE a"} { // on the only connection there is
			if _, err := h.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.ExecContext(t.Context(), "UPDATE b SET n = 1"); err == nil || log.count("UPDATE b SET n = 1") != 1 {
			t.Errorf("%v, driver saw %q; want the statement to fail and not to be retried alone", err, log.all())
		}
	})
}

func TestWhatIsNeutralLeavesRetriesAsTheyWere(t *testing.T) {
	t.Parallel()
	db, log := openScripted(t, sp.MySQL, deadlockOnce(), retrier(t))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 1000 {
		for _, q := range []string{
			fmt.Sprintf("CREATE TABLE t%d (n INT)", i), "SET ROLE app", fmt.Sprintf("ALTER TABLE t%d ADD m INT;", i), "USE shop",
			"BEGIN", "UPDATE a", "COMMIT",
		} {
			if _, err := conn.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := conn.ExecContext(t.Context(), "UPDATE b SET n = 1"); err != nil || log.count("UPDATE b SET n = 1") != 2 {
		t.Errorf("%v, sent %d times; want a retry after the deadlock", err, log.count("UPDATE b SET n = 1"))
	}
}

// The server is asked once, when an unsure connection is handed out.
func TestAnUnsureConnectionIsSettledWhenItIsHandedOut(t *testing.T) {
	t.Parallel()
	const (
		ask  = "SELECT @@autocommit, @@completion_type, @@in_transaction"
		set  = "SELECT pg_catalog.set_config('sessionproxy.probe', 'open', true)"
		read = "SELECT pg_catalog.current_setting('sessionproxy.probe', true)"
	)
	for name, c := range map[string]struct {
		system  sp.System
		answers map[string][]driver.Value
		fails   map[string]error
		asked   []string
		inTx    bool
	}{
		"mariadb, none":               {system: sp.MariaDB, answers: map[string][]driver.Value{ask: {[]byte("1"), []byte("NO_CHAIN"), []byte("0")}}, asked: []string{ask}},
		"mariadb, open":               {system: sp.MariaDB, answers: map[string][]driver.Value{ask: {int64(1), "NO_CHAIN", int64(1)}}, asked: []string{ask}, inTx: true},
		"mariadb, without autocommit": {system: sp.MariaDB, answers: map[string][]driver.Value{ask: {int64(0), "NO_CHAIN", int64(0)}}, asked: []string{ask}, inTx: true},
		"mariadb, chaining":           {system: sp.MariaDB, answers: map[string][]driver.Value{ask: {int64(1), "CHAIN", int64(0)}}, asked: []string{ask}, inTx: true},
		"mariadb, without an answer":  {system: sp.MariaDB, fails: map[string]error{ask: errRefused}, asked: []string{ask}, inTx: true},
		"postgres, none":              {system: sp.PostgreSQL, answers: map[string][]driver.Value{set: {"open"}, read: {""}}, asked: []string{set, read}},
		"postgres, never set":         {system: sp.PostgreSQL, answers: map[string][]driver.Value{set: {"open"}, read: {nil}}, asked: []string{set, read}},
		"postgres, open":              {system: sp.PostgreSQL, answers: map[string][]driver.Value{set: {"open"}, read: {[]byte("open")}}, asked: []string{set, read}, inTx: true},
		"postgres, without an answer": {system: sp.PostgreSQL, fails: map[string]error{set: errRefused}, asked: []string{set}, inTx: true},
		"sqlite, none":                {system: sp.SQLite, asked: []string{"BEGIN", "ROLLBACK"}},
		"sqlite, open": {
			system: sp.SQLite, fails: map[string]error{"BEGIN": errors.New("cannot start a transaction within a transaction (1)")},
			asked: []string{"BEGIN"}, inTx: true,
		},
		"sqlite, without an answer": {system: sp.SQLite, fails: map[string]error{"BEGIN": errRefused}, asked: []string{"BEGIN"}, inTx: true},
		"mysql":                     {system: sp.MySQL, inTx: true},
		"unknown":                   {system: sp.OtherSQL, inTx: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := &recorder{}
			db, log := openScripted(t, c.system, func(q string) ([]driver.Value, error) { return c.answers[q], c.fails[q] }, rec)
			for range 3 {
				if _, err := db.ExecContext(t.Context(), "SELECT f(); SELECT g()"); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if _, err := db.ExecContext(t.Context(), "SELECT 1"); err != nil {
						t.Fatal(err)
					}
					if rec.calls[len(rec.calls)-1].inTx != c.inTx {
						t.Errorf("in a transaction: %t, want %t", !c.inTx, c.inTx)
					}
				}
			}
			want := []string{"open"}
			for range 3 {
				want = append(want, "SELECT f(); SELECT g()")
				want = append(want, c.asked...)
				want = append(want, "SELECT 1", "SELECT 1")
			}
			if !slices.Equal(log.all(), want) {
				t.Errorf("driver saw %q, want %q", log.all(), want)
			}
		})
	}
}

func TestErrBadConnIsNotBelievedWhereATransactionMayBeOpen(t *testing.T) {
	t.Parallel()
	for name, chain := range chains() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &journal{}
			db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
				return scriptedConn{&minimalConn{log: log}, func(q string) ([]driver.Value, error) {
					if strings.HasPrefix(q, "UPDATE") {
						return nil, driver.ErrBadConn
					}
					return nil, nil
				}}, nil
			}}, chain, sqldb.WithTrustedBadConn(), sqldb.WithTarget(sp.Target{System: sp.MySQL}))
			defer db.Close()
			db.SetMaxOpenConns(1)
			for _, q := range []string{"BEGIN", "INSERT INTO t VALUES (1)"} {
				if _, err := db.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.ExecContext(t.Context(), "UPDATE t"); errors.Is(err, driver.ErrBadConn) || err == nil || log.count("UPDATE t") != 1 {
				t.Errorf("%v, driver saw %q; want one attempt, whose error database/sql does not act on", err, log.all())
			}
		})
	}
}

// reportingConn can tell, as a connection of mattn/go-sqlite3 does.
type reportingConn struct {
	scriptedConn
	auto *bool
}

func (c reportingConn) AutoCommit() bool { return *c.auto }

func TestADriverThatKnowsIsAsked(t *testing.T) {
	t.Parallel()
	auto, rec, log := true, &recorder{}, &journal{}
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
		return reportingConn{scriptedConn{&minimalConn{log: log}, silent}, &auto}, nil
	}}, sp.NewChain(rec), sqldb.WithTarget(sp.Target{System: sp.SQLite}))
	defer db.Close()
	for _, state := range []bool{false, true, false, true} {
		auto = state
		for _, q := range []string{"SELECT f(); SELECT g()", "SELECT 1"} {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if rec.calls[len(rec.calls)-1].inTx == state {
			t.Errorf("in a transaction %t, but the driver says autocommit %t", state, state)
		}
	}
	if log.count("BEGIN") != 0 {
		t.Errorf("driver saw %q; want no question", log.all())
	}
}

func retrier(t *testing.T) *retry.Retry {
	t.Helper()
	r, err := retry.New()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
