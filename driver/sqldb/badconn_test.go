package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// badConn answers every statement with driver.ErrBadConn, whether it was sent
// or not.
type badConn struct {
	*minimalConn
	dead bool
}

func (c badConn) IsValid() bool { return !c.dead }

func (c badConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	c.log.add("sent")
	return nil, fmt.Errorf("wrapped: %w", driver.ErrBadConn)
}

func (c badConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	c.log.add("sent")
	return nil, driver.ErrBadConn
}

func (c badConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	c.log.add("prepared")
	return nil, driver.ErrBadConn
}

func (c badConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return badTx{c.log}, nil
}

type badTx struct{ log *journal }

func (t badTx) Commit() error   { t.log.add("sent"); return driver.ErrBadConn }
func (t badTx) Rollback() error { return driver.ErrBadConn }

func badDB(t *testing.T, dead bool, chain sp.Chain, opts ...sqldb.Option) (*sql.DB, *journal) {
	t.Helper()
	log := &journal{}
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
		return badConn{&minimalConn{log: log}, dead}, nil
	}}, chain, opts...)
	t.Cleanup(func() { _ = db.Close() })
	return db, log
}

func TestADoubtfulErrBadConnIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, chain := range map[string]sp.Chain{"empty chain": {}, "chain": sp.NewChain(&recorder{}), "off": sp.NewChain(drowsy{&recorder{}})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, log := badDB(t, false, chain)
			_, err := db.ExecContext(t.Context(), "update")
			if err == nil || errors.Is(err, driver.ErrBadConn) {
				t.Errorf("error %v; want one that database/sql does not act on", err)
			}
			if _, err := db.QueryContext(t.Context(), "insert returning"); err == nil {
				t.Error("no error")
			}
			if n := log.count("sent"); n != 2 {
				t.Errorf("two statements were sent %d times", n)
			}
		})
	}
}

func TestErrBadConnIsBelievedWhereRepeatingIsHarmless(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ctx  func(context.Context) context.Context
		opts []sqldb.Option
	}{
		"the caller marked it idempotent": {ctx: sp.WithIdempotent},
		"the caller marked it read-only":  {ctx: sp.WithReadOnly},
		"the driver is trusted":           {opts: []sqldb.Option{sqldb.WithTrustedBadConn()}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, log := badDB(t, false, sp.NewChain(&recorder{}), test.opts...)
			ctx := t.Context()
			if test.ctx != nil {
				ctx = test.ctx(ctx)
			}
			if _, err := db.ExecContext(ctx, "update"); !errors.Is(err, driver.ErrBadConn) {
				t.Errorf("error %v, want driver.ErrBadConn", err)
			}
			if n := log.count("sent"); n != 3 {
				t.Errorf("sent %d times, want database/sql's three", n)
			}
		})
	}
	t.Run("nothing is executed by preparing", func(t *testing.T) {
		t.Parallel()
		db, log := badDB(t, false, sp.NewChain(&recorder{}))
		if _, err := db.PrepareContext(t.Context(), "update"); !errors.Is(err, driver.ErrBadConn) {
			t.Errorf("error %v, want driver.ErrBadConn", err)
		}
		if n := log.count("prepared"); n != 3 {
			t.Errorf("prepared %d times, want database/sql's three", n)
		}
	})
}

// A driver says of a connection that it had called bad before that it is gone:
// what it is asked on it then is not sent.
func TestErrBadConnIsBelievedOfAConnectionThatWasGone(t *testing.T) {
	t.Parallel()
	db, _ := badDB(t, true, sp.NewChain(&recorder{}))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "update"); errors.Is(err, driver.ErrBadConn) {
		t.Errorf("the first error %v is believed", err)
	}
	if _, err := conn.ExecContext(t.Context(), "update"); !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("error %v, want driver.ErrBadConn", err)
	}
}

func TestALostCommitIsReportedAsUnknown(t *testing.T) {
	t.Parallel()
	db, log := badDB(t, false, sp.NewChain(&recorder{}))
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, sp.ErrCommitUnknown) || errors.Is(err, driver.ErrBadConn) {
		t.Errorf("commit: %v", err)
	}
	if n := log.count("sent"); n != 1 {
		t.Errorf("COMMIT was sent %d times", n)
	}
}

// pingedConn counts its pings and is gone after the first use.
type pingedConn struct{ *minimalConn }

func (c pingedConn) Ping(context.Context) error { c.log.add("ping"); return errRefused }

func TestAnIdleConnectionIsPingedBeforeUse(t *testing.T) {
	t.Parallel()
	log := &journal{}
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
		log.add("open")
		return pingedConn{&minimalConn{log: log}}, nil
	}}, sp.Chain{}, sqldb.WithIdlePing(1))
	defer db.Close()
	for range 3 {
		if _, err := db.ExecContext(t.Context(), "insert"); err != nil {
			t.Fatal(err)
		}
	}
	if log.count("ping") != 2 || log.count("open") != 3 {
		t.Errorf("%d pings and %d connections; want every dead connection found by a ping and replaced: 2 and 3",
			log.count("ping"), log.count("open"))
	}
}
