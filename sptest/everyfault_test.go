package sptest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/sptest"
	"github.com/sessionproxy/sessionproxy/sptest/sqlitefaults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

// bank is what the units of these tests work on.
type bank struct {
	db    *sqldb.DB
	mails int
}

// openBank opens a fresh bank behind a retry.
func openBank(t testing.TB, faults *sptest.Faults) *bank {
	again, err := retry.New(retry.WithBackoff(retry.Contention, 0, 0), retry.WithBackoff(retry.Connection, 0, 0), retry.WithBackoff(retry.Overload, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sqldb.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "bank.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(1000)",
		sessionproxy.NewChain(again, faults))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	db, err := sqldb.Wrap(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"CREATE TABLE account (owner TEXT PRIMARY KEY, balance INTEGER NOT NULL)",
		"CREATE TABLE transfer (id INTEGER PRIMARY KEY, key TEXT, amount INTEGER NOT NULL)",
		"INSERT INTO account VALUES ('ann', 1000), ('bob', 0)",
		"INSERT INTO transfer (key, amount) VALUES ('an earlier one', 10)",
	} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	return &bank{db: db}
}

// transfers counts the transfers, and holds them against the balances.
func transfers(ctx context.Context, b *bank) (int, error) {
	var n, ann, bob int
	err := b.db.QueryRowContext(ctx, `SELECT (SELECT count(*) - 1 FROM transfer), (SELECT balance FROM account WHERE owner = 'ann'),
		(SELECT balance FROM account WHERE owner = 'bob')`).Scan(&n, &ann, &bob)
	if err == nil && (ann != 1000-10*n || bob != 10*n) {
		err = fmt.Errorf("after %d transfers of 10 ann has %d and bob %d", n, ann, bob)
	}
	return n, err
}

// exec runs statements in a transaction.
func exec(ctx context.Context, tx *sql.Tx, texts ...string) error {
	for _, text := range texts {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

const (
	debit  = "UPDATE account SET balance = balance - 10 WHERE owner = 'ann'"
	credit = "UPDATE account SET balance = balance + 10 WHERE owner = 'bob'"
	record = "INSERT INTO transfer (amount) VALUES (10)"
)

// transfer is right.
func transfer(ctx context.Context, b *bank) error {
	return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
		return exec(ctx, tx, debit, credit, record)
	})
}

func TestARightTransferStandsEveryFault(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := sptest.EveryFault(t, sqlitefaults.New(t).Faults(), openBank, transfer, transfers)
	t.Logf("%d runs took %v", len(r.Rows), time.Since(began))
	if len(r.Calls) != 5 || len(r.Rows) < 20 {
		t.Errorf("%d calls and %d rows, want BEGIN, three statements, COMMIT, and each fault at each", len(r.Calls), len(r.Rows))
	}
}

// quiet is a t that keeps what a failing proof says.
type quiet struct {
	testing.TB
	said []string
}

func (q *quiet) Helper()                        {}
func (q *quiet) Log(...any)                     {}
func (q *quiet) Errorf(format string, a ...any) { q.said = append(q.said, fmt.Sprintf(format, a...)) }

// finds fails unless a proof of the unit fails, with rows that have all of want.
func finds(t *testing.T, unit func(context.Context, *bank) error, check func(context.Context, *bank) (int, error), want ...string) {
	t.Helper()
	q := &quiet{TB: t}
	r := sptest.EveryFault(q, sqlitefaults.New(t).Faults(), openBank, unit, check)
	if len(q.said) == 0 {
		t.Errorf("the error is not found:\n%s", r)
		return
	}
	for _, said := range q.said {
		t.Log(said)
	}
	all := strings.Join(q.said, "\n")
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("nothing says %q:\n%s", w, r)
		}
	}
}

func TestAReadOutsideTheUnitIsFound(t *testing.T) {
	t.Parallel()
	wrong := func(ctx context.Context, b *bank) error {
		var balance int
		if err := b.db.QueryRowContext(ctx, "SELECT balance FROM account WHERE owner = 'bob'").Scan(&balance); err != nil {
			return err
		}
		return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE account SET balance = ? WHERE owner = 'bob'", balance+10)
			return err
		})
	}
	right := func(ctx context.Context, b *bank) error {
		return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			var balance int
			if err := tx.QueryRowContext(ctx, "SELECT balance FROM account WHERE owner = 'bob'").Scan(&balance); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "UPDATE account SET balance = ? WHERE owner = 'bob'", balance+10)
			return err
		})
	}
	finds(t, wrong, deposits, "what another caller did meanwhile is lost", "TestAReadOutsideTheUnitIsFound")
	sptest.EveryFault(t, sqlitefaults.New(t).Faults(), openBank, right, deposits)
}

// deposits counts by bob's balance.
func deposits(ctx context.Context, b *bank) (n int, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT balance / 10 FROM account WHERE owner = 'bob'").Scan(&n)
	return n, err
}

func TestAWriteWronglyMarkedIdempotentIsFound(t *testing.T) {
	t.Parallel()
	finds(t, func(ctx context.Context, b *bank) error {
		_, err := b.db.ExecContext(sessionproxy.WithIdempotent(ctx), credit)
		return err
	}, deposits, "done again", "answer lost", "2 times")
	sptest.EveryFault(t, sqlitefaults.New(t).Faults(), openBank, func(ctx context.Context, b *bank) error {
		_, err := b.db.ExecContext(sessionproxy.WithIdempotent(ctx), "UPDATE account SET balance = 10 WHERE owner = 'bob'")
		return err
	}, deposits)
	sptest.EveryFault(t, sqlitefaults.New(t).Faults(), openBank, func(ctx context.Context, b *bank) error {
		_, err := b.db.ExecContext(ctx, credit)
		return err
	}, deposits)
}

func TestASwallowedErrorBeforeCommitIsFound(t *testing.T) {
	t.Parallel()
	finds(t, func(ctx context.Context, b *bank) error {
		return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			_ = exec(ctx, tx, debit)
			return exec(ctx, tx, credit, record)
		})
	}, transfers, "check: after 1 transfers of 10 ann has 1000 and bob 10", "UPDATE account")
}

func TestAVerifierWithoutAKeyIsFound(t *testing.T) {
	t.Parallel()
	unit := func(key, verify string) func(ctx context.Context, b *bank) error {
		return func(ctx context.Context, b *bank) error {
			ctx = sessionproxy.WithVerifyCommit(ctx, func(ctx context.Context) (bool, error) {
				var n int
				err := b.db.QueryRowContext(ctx, verify).Scan(&n)
				return n > 0, err
			})
			return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
				return exec(ctx, tx, debit, credit, "INSERT INTO transfer (key, amount) VALUES ('"+key+"', 10)")
			})
		}
	}
	finds(t, unit("", "SELECT count(*) FROM transfer WHERE amount = 10"), transfers,
		"COMMIT", "lost before it arrived", "a commit believed in that was another's")
	sptest.EveryFault(t, sqlitefaults.New(t).Faults(), openBank, unit("mine", "SELECT count(*) FROM transfer WHERE key = 'mine'"), transfers)
}

func TestALoopAroundAWriteIsFound(t *testing.T) {
	t.Parallel()
	finds(t, func(ctx context.Context, b *bank) (err error) {
		for range 3 {
			if _, err = b.db.ExecContext(ctx, credit); err == nil {
				return nil
			}
		}
		return err
	}, deposits, "answer lost", "repeated by hand")
}

// mailed is transfers, and one e-mail for each.
func mailed(ctx context.Context, b *bank) (int, error) {
	n, err := transfers(ctx, b)
	if err == nil && b.mails > n {
		err = fmt.Errorf("%d e-mails tell of %d transfers", b.mails, n)
	}
	return n, err
}

func TestAnEMailBeforeCommitIsFound(t *testing.T) {
	t.Parallel()
	finds(t, func(ctx context.Context, b *bank) error {
		return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			b.mails++
			return exec(ctx, tx, debit, credit, record)
		})
	}, mailed, "check: 2 e-mails tell of 1 transfers", "check: 1 e-mails tell of 0 transfers")
	sptest.EveryFault(t, sqlitefaults.New(t).Faults(), openBank, func(ctx context.Context, b *bank) error {
		err := transfer(ctx, b)
		if err == nil {
			b.mails++
		}
		return err
	}, mailed)
}

func TestTenStatements(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := sptest.EveryFault(t, sqlitefaults.New(t).Faults(), openBank, func(ctx context.Context, b *bank) error {
		return b.db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			for range 7 {
				if err := exec(ctx, tx, "SELECT count(*) FROM transfer"); err != nil {
					return err
				}
			}
			return exec(ctx, tx, debit, credit, record)
		})
	}, transfers)
	t.Logf("a unit of ten statements: %d calls, %d runs, %v", len(r.Calls), len(r.Rows), time.Since(began))
}

func TestWhatCannotBeProvenIsSaid(t *testing.T) {
	t.Parallel()
	faults := sqlitefaults.New(t).Faults()
	for name, c := range map[string]struct {
		faults []sptest.Fault
		unit   func(context.Context, *bank) error
		opts   []sptest.Option
		want   string
	}{
		"no faults":       {nil, transfer, nil, "there are no faults"},
		"a fault too few": {[]sptest.Fault{{Name: "empty"}}, transfer, nil, `fault "empty": the fault does nothing`},
		"a failing unit":  {faults, func(context.Context, *bank) error { return errors.New("no") }, nil, "fails without any fault: no"},
		"an idle unit":    {faults, func(context.Context, *bank) error { return nil }, nil, "check says that it is done not at all"},
		"a timeout":       {faults, transfer, []sptest.Option{sptest.WithRunTimeout(0)}, "WithRunTimeout(0s)"},
		"a rival of none": {faults, transfer, []sptest.Option{sptest.WithRival[*bank](nil)}, "WithRival(nil)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fatal{TB: t}
			func() {
				defer func() { _ = recover() }()
				sptest.EveryFault(f, c.faults, openBank, c.unit, transfers, c.opts...)
			}()
			if !strings.Contains(f.said, c.want) {
				t.Errorf("it says %q, want %q", f.said, c.want)
			}
		})
	}
}

// fatal is a t that panics where it would end the test.
type fatal struct {
	testing.TB
	said string
}

func (f *fatal) Helper()    {}
func (f *fatal) Log(...any) {}
func (f *fatal) Fatal(a ...any) {
	f.said = fmt.Sprint(a...)
	panic(f)
}

func (f *fatal) Fatalf(format string, a ...any) { f.Fatal(fmt.Sprintf(format, a...)) }
