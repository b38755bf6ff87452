package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

// failingConn fails the step that is named with err.
type failingConn struct {
	minimalConn
	step string
	err  error
}

func (c *failingConn) at(step string) error {
	c.log.add("%s", step)
	if step == c.step {
		return c.err
	}
	return nil
}

func (c *failingConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return failingTx{c}, c.at("begin")
}

func (c *failingConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), c.at("exec")
}

type failingTx struct{ c *failingConn }

func (t failingTx) Commit() error   { return t.c.at("commit") }
func (t failingTx) Rollback() error { return t.c.at("rollback") }

// idle is an interceptor that does nothing.
var idle = sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error { return next(ctx, call) }
})

// TestATransactionThatIsAloneFailsLikeAnother: whether anybody listens to its end,
// or the chain is off, callers and drivers see the same.
func TestATransactionThatIsAloneFailsLikeAnother(t *testing.T) {
	t.Parallel()
	errs := []error{nil, errRefused, driver.ErrBadConn, context.DeadlineExceeded, fmt.Errorf("write tcp: %w", errors.New("broken pipe"))}
	for _, step := range []string{"begin", "exec", "commit", "rollback"} {
		for _, err := range errs {
			for _, end := range []string{"commit", "rollback"} {
				var want string
				for name, links := range map[string][]sp.Interceptor{
					"":         {&recorder{}},
					"off":      {drowsy{&recorder{}}},
					"idle":     {idle},
					"off, too": {drowsy{&recorder{}}, drowsy{&recorder{}}},
				} {
					got := transact(t, sp.NewChain(links...), step, err, end)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("%s fails with %v, then %s, chain %q:\n%s\nwith another chain:\n%s", step, err, end, name, got, want)
					}
				}
			}
		}
	}
}

// transact performs a transaction and another after it, and tells what it saw.
func transact(t *testing.T, chain sp.Chain, step string, failure error, end string) string {
	t.Helper()
	log := &journal{}
	first := true
	db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
		c := &failingConn{minimalConn: minimalConn{log: log}}
		if first {
			c.step, c.err, first = step, failure, false
		}
		log.add("open")
		return c, nil
	}}, chain)
	db.SetMaxOpenConns(1)
	for range 2 {
		tx, err := db.BeginTx(t.Context(), nil)
		log.add("BeginTx: %v", err)
		if err != nil {
			continue
		}
		_, err = tx.ExecContext(t.Context(), "UPDATE t")
		log.add("Exec: %v", err)
		if end == "commit" {
			err = tx.Commit()
		} else {
			err = tx.Rollback()
		}
		log.add("%s: %v, unknown %t", end, err, errors.Is(err, sp.ErrCommitUnknown))
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	return strings.Join(log.all(), "\n")
}

// TestTransactionsThatAreAloneUnderRace has transactions end by their context, on
// database/sql's goroutine, while others begin on the same connections.
func TestTransactionsThatAreAloneUnderRace(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]sp.Interceptor{"idle": idle, "off": drowsy{&recorder{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqldb.Open("pgx", postgresURL(t), sp.NewChain(link))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(3)
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER)"); err != nil {
				t.Fatal(err)
			}
			var committed, counted int
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					for range 25 {
						done := oneRow(t, db)
						mu.Lock()
						committed += done
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&counted); err != nil || counted < committed {
				t.Errorf("%d rows after %d commits, %v", counted, committed, err)
			}
		})
	}
}

// oneRow inserts a row in a transaction that may end by its context at any time,
// and returns how many rows it has committed for certain.
func oneRow(t *testing.T, db *sql.DB) int {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(4000)+200)*time.Microsecond)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO t VALUES (1)")
	if err != nil || rand.IntN(3) == 0 {
		_ = tx.Rollback()
		return 0
	}
	if tx.Commit() != nil {
		return 0
	}
	return 1
}

func TestATransactionThatIsAloneAllocatesNoMoreThanUnderAnEmptyChain(t *testing.T) {
	count := func(links ...sp.Interceptor) float64 {
		db := sqldb.OpenDB(connectorFor{func() (driver.Conn, error) {
			return &failingConn{minimalConn: minimalConn{log: &journal{lines: make([]string, 0, 1<<16)}}}, nil
		}}, sp.NewChain(links...))
		defer db.Close()
		db.SetMaxOpenConns(1)
		return alloctest.PerRun(100, func() {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "UPDATE t"); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		})
	}
	want := count()
	for name, link := range map[string]sp.Interceptor{"idle": idle, "off": drowsy{&recorder{}}} {
		if got := count(link); got > want+alloctest.Lost {
			t.Errorf("%s: %v allocations, %v with an empty chain", name, got, want)
		}
	}
}
