package sqldb_test

import (
	"database/sql/driver"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// mysqlConnector is taken for go-sql-driver's.
type mysqlConnector struct{ connectorFor }

func (mysqlConnector) Driver() driver.Driver { return &mysql.MySQLDriver{} }

// A server, its init_connect or a data source name may have every session begin
// without autocommit; that is asked of each connection, since it can be changed at any time.
func TestHowSessionsBeginIsAsked(t *testing.T) {
	t.Parallel()
	const question = "SELECT @@autocommit, @@completion_type"
	for name, c := range map[string]struct {
		answer []driver.Value
		err    error
		asked  int // on three connections
		inTx   bool
	}{
		"plain":              {answer: []driver.Value{int64(1), []byte("NO_CHAIN")}, asked: 3},
		"without autocommit": {answer: []driver.Value{[]byte("0"), "NO_CHAIN"}, asked: 3, inTx: true},
		"chaining":           {answer: []driver.Value{"1", "CHAIN"}, asked: 3, inTx: true},
		"no answer":          {err: errRefused, asked: 3, inTx: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, rec := &journal{}, &recorder{}
			db := sqldb.OpenDB(mysqlConnector{connectorFor{func() (driver.Conn, error) {
				return scriptedConn{&minimalConn{log: log}, func(q string) ([]driver.Value, error) {
					if q == question {
						return c.answer, c.err
					}
					return nil, nil
				}}, nil
			}}}, sp.NewChain(rec), sqldb.WithTarget(sp.Target{System: sp.MySQL}))
			defer db.Close() //nolint:errcheck // nothing depends on it
			db.SetMaxIdleConns(-1)
			for range 3 {
				if _, err := db.ExecContext(t.Context(), "UPDATE t"); err != nil {
					t.Fatal(err)
				}
				if got := rec.calls[len(rec.calls)-1].inTx; got != c.inTx {
					t.Errorf("in a transaction: %t, want %t", got, c.inTx)
				}
			}
			if n := log.count(question); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}
