package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// failingRowsConn is a connection whose queries fail after their first row, and
// whose statement FAIL fails, with an error.
type failingRowsConn struct {
	scriptedConn
	err error
}

func (c failingRowsConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if q != "SELECT n FROM t FOR UPDATE" {
		return c.scriptedConn.QueryContext(ctx, q, args)
	}
	return &valueRows{values: []driver.Value{int64(1)}, err: c.err}, nil
}

func (c failingRowsConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if q == "FAIL" {
		return nil, c.err
	}
	return c.scriptedConn.ExecContext(ctx, q, args)
}

// failIn makes a statement of a transaction fail: by itself, or with its rows.
func failIn(t *testing.T, tx *sql.Tx, rows bool) {
	t.Helper()
	if !rows {
		if _, err := tx.ExecContext(t.Context(), "FAIL"); err == nil {
			t.Fatal("no error")
		}
		return
	}
	r, err := tx.QueryContext(t.Context(), "SELECT n FROM t FOR UPDATE")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for r.Next() {
	}
	if r.Err() == nil {
		t.Fatal("no error")
	}
}

func TestATransactionThatIsGoneIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	const question = "SELECT @@innodb_rollback_on_timeout"
	server := func(number uint16) error { return &mysql.MySQLError{Number: number, Message: "x"} }
	for name, c := range map[string]struct {
		system  sp.System
		err     error
		answers map[string][]driver.Value
		gone    bool
	}{
		"deadlock":                        {system: sp.MySQL, err: server(1213), gone: true},
		"deadlock, mariadb":               {system: sp.MariaDB, err: server(1213), gone: true},
		"duplicate key":                   {system: sp.MySQL, err: server(1062)},
		"read-only transaction":           {system: sp.MySQL, err: server(1792)},
		"read-only server":                {system: sp.MySQL, err: server(1836)},
		"lock timeout of the statement":   {system: sp.MySQL, err: server(1205), answers: map[string][]driver.Value{question: {int64(0)}}},
		"lock timeout of the transaction": {system: sp.MySQL, err: server(1205), answers: map[string][]driver.Value{question: {[]byte("1")}}, gone: true},
		"lock timeout, nobody knows":      {system: sp.MySQL, err: server(1205), gone: true},
		"doubt, mariadb is in it":         {system: sp.MariaDB, err: server(1180), answers: map[string][]driver.Value{"SELECT @@in_transaction": {int64(1)}}},
		"doubt, mariadb is not in it":     {system: sp.MariaDB, err: server(1180), answers: map[string][]driver.Value{"SELECT @@in_transaction": {int64(0)}}, gone: true},
		"doubt, mysql":                    {system: sp.MySQL, err: server(1180), gone: true},
		"doubt, unknown":                  {system: sp.OtherSQL, err: errRefused, gone: true},
	} {
		for how, chain := range map[string]sp.Chain{
			"heard": sp.NewChain(&recorder{}), "unheard": sp.NewChain(deaf), "off": sp.NewChain(drowsy{&recorder{}}),
		} {
			for _, rows := range []bool{false, true} {
				t.Run(name+"/"+how+map[bool]string{true: "/rows"}[rows], func(t *testing.T) {
					t.Parallel()
					log := &journal{}
					db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
						answer := func(q string) ([]driver.Value, error) { return c.answers[q], nil }
						return failingRowsConn{scriptedConn{&minimalConn{log: log}, answer}, c.err}, nil
					}}, chain, sqldb.WithTarget(sp.Target{System: c.system}))
					defer db.Close()
					tx, err := db.BeginTx(t.Context(), nil)
					if err != nil {
						t.Fatal(err)
					}
					failIn(t, tx, rows)
					_, next := tx.ExecContext(t.Context(), "UPDATE t")
					commit := tx.Commit()
					if got := errors.Is(next, sqldb.ErrTxUndone); got != c.gone {
						t.Errorf("the next statement: %v; driver saw %q", next, log.all())
					}
					if got := errors.Is(commit, sqldb.ErrTxUndone); got != c.gone {
						t.Errorf("the commit: %v; driver saw %q", commit, log.all())
					}
					if c.gone && (log.count("UPDATE t") != 0 || log.count("commit") != 0 || log.count("rollback") != 1) {
						t.Errorf("driver saw %q; want a rollback and nothing else", log.all())
					}
				})
			}
		}
	}
}

// deaf is an interceptor that waits for the end of no call.
var deaf = sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })
