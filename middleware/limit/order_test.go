package limit_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

// workConn is a connection whose statements take a while, in virtual time.
type workConn struct{ working *atomic.Int64 }

func (c *workConn) work() {
	c.working.Add(1)
	time.Sleep(10 * time.Millisecond) // in a bubble
	c.working.Add(-1)
}

func (c *workConn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (c *workConn) Close() error                        { return nil }
func (c *workConn) Begin() (driver.Tx, error)           { c.work(); return workTx{c}, nil }

func (c *workConn) Ping(context.Context) error { c.work(); return nil }

func (c *workConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	c.work()
	return driver.RowsAffected(1), nil
}

type workTx struct{ *workConn }

func (t workTx) Commit() error   { t.work(); return nil }
func (t workTx) Rollback() error { return nil }

type workConnector struct{ working *atomic.Int64 }

func (c workConnector) Connect(context.Context) (driver.Conn, error) {
	return &workConn{c.working}, nil
}
func (c workConnector) Driver() driver.Driver { return nil }

// callers are the ways in which a service gets to the database.
var callers = map[string]func(ctx context.Context, db *sql.DB, h *sqldb.DB) error{
	"handle": func(ctx context.Context, _ *sql.DB, h *sqldb.DB) error {
		return h.PingContext(ctx) // the result of an Exec locks the connection, which is at work for others by then
	},
	"unit": func(ctx context.Context, _ *sql.DB, h *sqldb.DB) error {
		return h.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE")
			return err
		})
	},
	"handle's transaction": func(ctx context.Context, _ *sql.DB, h *sqldb.DB) error { return transaction(ctx, h) },
	"plain": func(ctx context.Context, db *sql.DB, _ *sqldb.DB) error {
		_, err := db.ExecContext(ctx, "UPDATE")
		return err
	},
	"plain transaction": func(ctx context.Context, db *sql.DB, _ *sqldb.DB) error { return transaction(ctx, db) },
	"connection": func(ctx context.Context, db *sql.DB, _ *sqldb.DB) error {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		for range 2 {
			_, werr := c.ExecContext(ctx, "UPDATE")
			err = errors.Join(err, werr)
		}
		return errors.Join(err, c.Close())
	},
	"transaction on a connection": func(ctx context.Context, db *sql.DB, _ *sqldb.DB) error {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		return errors.Join(transaction(ctx, c), c.Close())
	},
}

type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func transaction(ctx context.Context, on beginner) error {
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE")
	return errors.Join(err, tx.Commit())
}

// TestNobodyWaitsWhileAPermitAndAConnectionAreFree mixes all kinds of callers
// with limits below, at and above the pool's size: whenever everybody waits for
// something, somebody is at work in the database, and whoever waits for a permit
// does so because all are taken.
func TestNobodyWaitsWhileAPermitAndAConnectionAreFree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pool := rapid.IntRange(1, 4).Draw(rt, "pool")
		n := rapid.IntRange(1, 6).Draw(rt, "limit")
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{
			"handle", "unit", "handle's transaction", "plain", "plain transaction", "connection", "transaction on a connection",
		}), 1, 16).Draw(rt, "callers")
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = mix(t, pool, n, kinds) })
		if len(wrong) > 0 {
			rt.Fatal(wrong)
		}
	})
}

func mix(t *testing.T, pool, n int, kinds []string) (wrong []string) {
	l, err := limit.New(n, limit.WithQueue(1000))
	if err != nil {
		t.Fatal(err)
	}
	var working atomic.Int64
	db := sqldb.OpenDB(workConnector{&working}, sp.NewChain(l))
	defer db.Close()
	db.SetMaxOpenConns(pool)
	db.SetMaxIdleConns(pool)
	h, err := sqldb.Wrap(db)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	left := len(kinds) * 3
	for _, kind := range kinds {
		go func() {
			for range 3 {
				err := callers[kind](t.Context(), db, h)
				mu.Lock()
				left--
				if err != nil {
					wrong = append(wrong, fmt.Sprintf("%s: %v", kind, err))
				}
				mu.Unlock()
			}
		}()
	}
	for range 10000 {
		synctest.Wait() // until everybody waits, at work or for something
		mu.Lock()
		over := left == 0
		mu.Unlock()
		s, d := l.Stats(), db.Stats()
		switch {
		case over && s.InUse == 0 && s.Waiting == 0:
			return wrong
		case s.Waiting > 0 && s.InUse < n:
			return append(wrong, fmt.Sprintf("%d wait for a permit, of which only %d of %d are taken", s.Waiting, s.InUse, n))
		case working.Load() == 0:
			return append(wrong, fmt.Sprintf("nobody is at work: %+v, %+v", s, d))
		}
		time.Sleep(10 * time.Millisecond)
	}
	return append(wrong, "the callers come to no end")
}

// TestACallWithAConnectionPassesAFullLimit holds that it is counted.
func TestACallWithAConnectionPassesAFullLimit(t *testing.T) {
	t.Parallel()
	l, err := limit.New(1, limit.WithQueue(0))
	if err != nil {
		t.Fatal(err)
	}
	var inside limit.Stats
	h := l.Wrap(func(ctx context.Context, call *sp.Call) error { inside = l.Stats(); return nil })
	run := func(scope sp.Scope, h sp.Handler) error {
		var call sp.Call
		attach.Reset(&call, nil)
		call.Op, call.Scope = sp.OpExec, scope
		_, err := attach.Run(t.Context(), &call, h)
		return err
	}
	err = run(sp.ScopePool, l.Wrap(func(context.Context, *sp.Call) error {
		if err := run(sp.ScopePool, h); err == nil {
			t.Error("a call without a connection got past a full limit")
		}
		return run(sp.ScopeConn, h)
	}))
	if s := l.Stats(); err != nil || inside.Passed != 1 || inside.InUse != 1 || s.InUse != 0 {
		t.Errorf("%v, inside %+v, then %+v", err, inside, s)
	}
	if err := run(sp.ScopeConn, h); err != nil || inside.InUse != 1 || l.Stats().Passed != 1 {
		t.Errorf("a free permit was not taken: %v, %+v", err, inside)
	}
}

// TestAVerifierPassesAFullLimit holds it for what finds out about a COMMIT.
func TestAVerifierPassesAFullLimit(t *testing.T) {
	t.Parallel()
	l, err := limit.New(1, limit.WithQueue(0))
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, *sp.Call) error { return nil }
	var outer sp.Call
	attach.Reset(&outer, nil)
	outer.Op, outer.Scope = sp.OpExec, sp.ScopePool
	_, err = attach.Run(t.Context(), &outer, l.Wrap(func(context.Context, *sp.Call) error {
		var verifier sp.Call
		attach.Reset(&verifier, nil)
		verifier.Op, verifier.Scope = sp.OpQuery, sp.ScopePool
		attach.Bind(sp.WithVerifying(t.Context()), &verifier)
		if err := l.Admit(t.Context(), &verifier); err != nil {
			return err
		}
		_, err := attach.Run(t.Context(), &verifier, l.Wrap(nothing))
		return err
	}))
	if err != nil || l.Stats().Passed != 1 {
		t.Errorf("%v, %+v", err, l.Stats())
	}
}
