package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/mysqlscript"
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
			defer db.Close()
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

// TestAConnectionLostWhileItsSettingsAreAskedIsNotUsed has the caller give up, or the
// server go away, between the login and the first statement.
func TestAConnectionLostWhileItsSettingsAreAskedIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, givesUp := range map[string]bool{"the caller gives up": true, "the server is restarted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			server := mysqlscript.Start(t, nil)
			var asked atomic.Int64
			server.Handle(func(_ *mysqlscript.Session, text string) mysqlscript.Reply {
				switch {
				case !strings.Contains(text, "@@autocommit"):
					return mysqlscript.Reply{}
				case givesUp:
					cancel()
					<-ctx.Done()
					return mysqlscript.Reply{HangUp: true}
				}
				if asked.Add(1) == 1 {
					return mysqlscript.Reply{HangUp: true}
				}
				return mysqlscript.Reply{Columns: []string{"a", "c"}, Rows: [][]string{{"1", "NO_CHAIN"}}}
			})
			db, err := sqldb.Open("mysql", server.DSN(), sp.NewChain(&recorder{}), sqldb.WithTarget(sp.Target{System: sp.MySQL}))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			_, err = db.ExecContext(ctx, "UPDATE t")
			if givesUp && err != context.Canceled {
				t.Errorf("%T %v", err, err)
			}
			if !givesUp && err != nil {
				t.Error(err)
			}
		})
	}
}

// beginningConn fails its BEGIN while that is wanted.
type beginningConn struct {
	scriptedConn
	fails func() error
}

func (c beginningConn) Begin() (driver.Tx, error) {
	c.log.add("begin")
	if err := c.fails(); err != nil {
		return nil, err
	}
	return minimalTx{c.log}, nil
}

// openBeginning opens a MySQL whose connections answer the question for their
// settings, first of them at the start.
func openBeginning(t *testing.T, settings [][]driver.Value, beginFails, updateFails int) (*sqldb.DB, *journal) {
	t.Helper()
	log := &journal{}
	lost := func(n *int) error {
		if *n--; *n >= 0 {
			return mysql.ErrInvalidConn
		}
		return nil
	}
	db := sqldb.OpenDB(mysqlConnector{connectorFor{func() (driver.Conn, error) {
		return beginningConn{scriptedConn{&minimalConn{log: log}, func(q string) ([]driver.Value, error) {
			switch q {
			case "SELECT @@autocommit, @@completion_type":
				answer := settings[0]
				if len(settings) > 1 {
					settings = settings[1:]
				}
				return answer, nil
			case "UPDATE t SET n = 1":
				return nil, lost(&updateFails)
			}
			return nil, nil
		}}, func() error { return lost(&beginFails) }}, nil
	}}}, sp.NewChain(retrier(t)), sqldb.WithTarget(sp.Target{System: sp.MySQL}))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return wrap(t, db), log
}

// A unit that has lost its connection is replayed on another one, which has to
// be in the state that the lost one was in.
func TestAUnitIsNotReplayedOutOfAStateThatIsLost(t *testing.T) {
	t.Parallel()
	plain, manual := []driver.Value{"1", "NO_CHAIN"}, []driver.Value{"0", "NO_CHAIN"}
	for name, c := range map[string]struct {
		before      string // sent to the only connection
		settings    [][]driver.Value
		beginFails  int
		updateFails int
		replayed    bool
	}{
		"nothing before, BEGIN":                   {before: "SET @a = 1", settings: [][]driver.Value{plain}, beginFails: 1, replayed: true},
		"nothing before, a statement":             {before: "SET @a = 1", settings: [][]driver.Value{plain}, updateFails: 1, replayed: true},
		"a transaction, BEGIN":                    {before: "BEGIN", settings: [][]driver.Value{plain}, beginFails: 1},
		"without autocommit, BEGIN":               {before: "SET autocommit = 0", settings: [][]driver.Value{plain, manual}, beginFails: 1},
		"without autocommit, a statement":         {before: "SET autocommit = 0", settings: [][]driver.Value{plain, manual}, updateFails: 1},
		"what leaves settings, a statement":       {before: "CALL p()", settings: [][]driver.Value{plain}, updateFails: 1, replayed: true},
		"what changes settings, a statement":      {before: "CALL p()", settings: [][]driver.Value{plain, manual}, updateFails: 1},
		"never with autocommit, a statement":      {before: "SET @a = 1", settings: [][]driver.Value{manual}, updateFails: 1, replayed: true},
		"never with autocommit, open or not":      {before: "SET @a = 1", settings: [][]driver.Value{manual}, beginFails: 1},
		"settings that are not told, a statement": {before: "CALL p()", settings: [][]driver.Value{plain, {"1"}}, updateFails: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, log := openBeginning(t, c.settings, c.beginFails, c.updateFails)
			if _, err := db.ExecContext(t.Context(), c.before); err != nil {
				t.Fatal(err)
			}
			err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE t SET n = 1")
				return err
			})
			wantBegins := 1
			if c.replayed {
				wantBegins = 2
			}
			if begins := log.count("begin"); begins != wantBegins || (err == nil) != c.replayed {
				t.Errorf("%v, %d attempts, driver saw %q; want %d", err, begins, log.all(), wantBegins)
			}
		})
	}
}

// Settings that were asked for before a unit leave no doubt when it has ended.
func TestAMySQLConnectionIsSettledByAUnit(t *testing.T) {
	t.Parallel()
	db, log := openBeginning(t, [][]driver.Value{{"1", "NO_CHAIN"}}, 0, 0)
	if _, err := db.ExecContext(t.Context(), "CALL p()"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := db.RunInTx(t.Context(), nil, func(context.Context, *sql.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := log.count("SELECT @@autocommit, @@completion_type"); n != 2 { // at the start, and after CALL
		t.Errorf("asked %d times, want 2: %q", n, log.all())
	}
}
