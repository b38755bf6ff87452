package sptest_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/sptest"
	"github.com/sessionproxy/sessionproxy/sptest/sqlitefaults"
)

// add adds rules to f.
func add(t *testing.T, f *sptest.Faults, rules ...sptest.Rule) {
	t.Helper()
	for _, r := range rules {
		if err := f.Add(r); err != nil {
			t.Fatal(err)
		}
	}
}

// next has f make a fault next.
func next(t *testing.T, f *sptest.Faults, fault sptest.Fault) {
	t.Helper()
	if err := f.Next(fault); err != nil {
		t.Fatal(err)
	}
}

func TestRulesChooseCalls(t *testing.T) {
	t.Parallel()
	e := sqlitefaults.New(t)
	full := sptest.Fault{Name: "full", Err: e.Full}
	for name, c := range map[string]struct {
		rule sptest.Rule
		want []int // of six calls: two reads, two debits, two credits, those that fail
	}{
		"all":         {sptest.Rule{Fault: full}, []int{0, 1, 2, 3, 4, 5}},
		"operation":   {sptest.Rule{Fault: full, Op: sessionproxy.OpQuery}, []int{0, 1}},
		"summary":     {sptest.Rule{Fault: full, Summary: "UPDATE account"}, []int{2, 3, 4, 5}},
		"nth":         {sptest.Rule{Fault: full, Summary: "UPDATE account", Nth: 3}, []int{4}},
		"match":       {sptest.Rule{Fault: full, Match: func(c sptest.Call) bool { return strings.Contains(c.Text, "bob") }}, []int{4, 5}},
		"writes":      {sptest.Rule{Fault: sptest.Fault{Name: "full", Err: e.Full, Writes: true}}, []int{2, 3, 4, 5}},
		"a whole":     {sptest.Rule{Fault: full, Share: 1}, []int{0, 1, 2, 3, 4, 5}},
		"another one": {sptest.Rule{Fault: full, Summary: "DELETE account"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := &sptest.Faults{}
			b := openBank(t, faults)
			add(t, faults, c.rule)
			var failed []int
			for i, text := range []string{"SELECT 1", "SELECT 2", debit, debit, credit, credit} {
				var err error
				if i < 2 {
					var n int
					err = b.db.QueryRowContext(t.Context(), text).Scan(&n)
				} else {
					_, err = b.db.ExecContext(t.Context(), text)
				}
				if err != nil {
					failed = append(failed, i)
				}
			}
			if !slices.Equal(failed, c.want) || len(faults.Strikes()) != len(c.want) {
				t.Errorf("the calls %v failed, %d faults were made; want %v", failed, len(faults.Strikes()), c.want)
			}
		})
	}
}

func TestAShareIsTheSameForASeed(t *testing.T) {
	t.Parallel()
	failures := func(seed uint64) (failed []int) {
		faults, err := sptest.NewFaults(sptest.Rule{
			Fault: sptest.Fault{Name: "unique", Err: sqlitefaults.New(t).UniqueViolation}, Summary: "UPDATE account", Share: 0.3, Seed: seed,
		})
		if err != nil {
			t.Fatal(err)
		}
		b := openBank(t, faults)
		for i := range 100 {
			if _, err := b.db.ExecContext(t.Context(), credit); err != nil {
				failed = append(failed, i)
			}
		}
		return failed
	}
	one, again, other := failures(1), failures(1), failures(2)
	if !slices.Equal(one, again) || slices.Equal(one, other) || len(one) < 15 || len(one) > 45 {
		t.Errorf("of 100 calls %d, %d and with another seed %d fail: %v, %v, %v", len(one), len(again), len(other), one, again, other)
	}
}

func TestImpossibleRulesAreRefused(t *testing.T) {
	t.Parallel()
	slow := sptest.Latency(time.Second)
	for want, r := range map[string]sptest.Rule{
		"does nothing":            {Fault: sptest.Fault{Name: "empty"}},
		"Nth is -1":               {Fault: slow, Nth: -1},
		"Share is 2":              {Fault: slow, Share: 2},
		"exclude each other":      {Fault: slow, Share: 0.5, Nth: 1},
		"have -1 and 0s":          {Fault: sptest.Fault{Err: sqlitefaults.ErrLost, Rows: -1}},
		"there is no After":       {Fault: sptest.Fault{Err: sqlitefaults.ErrLost, Rows: 1, After: true}},
		`rule "latency": Nth is `: {Fault: slow, Nth: -1},
	} {
		if _, err := sptest.NewFaults(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	if err := new(sptest.Faults).Next(sptest.Fault{Name: "empty"}); err == nil {
		t.Error("a fault that does nothing is taken")
	}
}

func TestALostCommit(t *testing.T) {
	t.Parallel()
	e := sqlitefaults.New(t)
	for _, c := range []struct {
		fault sptest.Fault
		done  int
	}{{e.CommitLostAfter(), 1}, {e.CommitLostBefore(), 0}} {
		faults := &sptest.Faults{}
		b := openBank(t, faults)
		next(t, faults, c.fault)
		err := transfer(t.Context(), b)
		if !errors.Is(err, sessionproxy.ErrCommitUnknown) || !errors.Is(err, sqlitefaults.ErrLost) {
			t.Errorf("%s: %v, want an unknown commit", c.fault.Name, err)
		}
		if n, err := transfers(t.Context(), b); n != c.done || err != nil {
			t.Errorf("%s: it is done %d times, want %d: %v", c.fault.Name, n, c.done, err)
		}
		if open := b.db.Stats().OpenConnections; open != 1 {
			t.Errorf("%s: the pool has %d connections, want the one that was opened for the check", c.fault.Name, open)
		}
	}
}

func TestAConnectionStaysLost(t *testing.T) {
	t.Parallel()
	faults := &sptest.Faults{}
	b := openBank(t, faults)
	conn, err := b.db.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stmt, err := conn.PrepareContext(t.Context(), credit)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), debit); err != nil {
		t.Fatal(err)
	}
	next(t, faults, sptest.Fault{Name: "lost", Err: sqlitefaults.ErrLost, Lost: true})
	_, err = tx.ExecContext(t.Context(), credit)
	if class := fault.Of(err, fault.Situation{}).Class; class != fault.ClassConnectionLost {
		t.Errorf("the statement that was struck: %v", err)
	}
	if _, err := tx.ExecContext(t.Context(), credit); err == nil {
		t.Error("a statement succeeds in a transaction whose connection is lost")
	}
	if err := tx.Commit(); err == nil {
		t.Error("COMMIT succeeds on a connection that is lost")
	}
	if _, err := stmt.ExecContext(t.Context()); err == nil {
		t.Error("a prepared statement succeeds on a connection that is lost")
	}
	if _, err := conn.ExecContext(t.Context(), credit); err == nil {
		t.Error("a statement succeeds on a connection that is lost")
	}
	if n, err := deposits(t.Context(), b); n != 0 || err != nil {
		t.Errorf("%d deposits, want none: %v", n, err)
	}
}

func TestRowsBreakOff(t *testing.T) {
	t.Parallel()
	faults := &sptest.Faults{}
	b := openBank(t, faults)
	next(t, faults, sptest.Fault{Name: "rows", Err: sqlitefaults.ErrLost, Rows: 1, Lost: true})
	rows, err := b.db.QueryContext(t.Context(), "SELECT owner FROM account")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if !errors.Is(rows.Err(), sqlitefaults.ErrLost) || n != 1 || len(faults.Strikes()) != 1 {
		t.Errorf("after %d rows: %v, want one row and the loss; %v", n, rows.Err(), faults.Strikes())
	}
	next(t, faults, sptest.Fault{Name: "rows", Err: sqlitefaults.ErrLost, Rows: 5, Lost: true})
	if err := b.db.QueryRowContext(t.Context(), "SELECT 1").Scan(&n); err != nil || len(faults.Strikes()) != 1 {
		t.Errorf("a result shorter than the rows that come: %v, %v", err, faults.Strikes())
	}
}

func TestSlowHangingAndPanickingCalls(t *testing.T) {
	t.Parallel()
	faults := &sptest.Faults{}
	b := openBank(t, faults)
	next(t, faults, sptest.Latency(time.Millisecond))
	if _, err := b.db.ExecContext(t.Context(), credit); err != nil {
		t.Errorf("a slow call: %v", err)
	}
	for _, f := range []sptest.Fault{sptest.Hang(), sptest.Latency(time.Hour)} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		next(t, faults, f)
		if _, err := b.db.ExecContext(ctx, credit); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", f.Name, err)
		}
		cancel()
	}
	next(t, faults, sptest.Hang())
	if _, err := b.db.ExecContext(context.WithoutCancel(t.Context()), credit); !errors.Is(err, sptest.ErrCannotHang) {
		t.Errorf("a call that can't hang: %v", err)
	}
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v", v)
			}
		}()
		next(t, faults, sptest.Panic("boom"))
		_, _ = b.db.ExecContext(t.Context(), credit)
	}()
	if n, err := deposits(t.Context(), b); n != 1 || err != nil {
		t.Errorf("%d deposits, want that of the slow call: %v", n, err)
	}
}

// Whoever ignores a fault that undoes the transaction can't commit the rest.
func TestAnUndoneTransactionIsUndone(t *testing.T) {
	t.Parallel()
	faults := &sptest.Faults{}
	b := openBank(t, faults)
	err := b.db.RunInTx(sessionproxy.WithNoRetry(t.Context()), &sql.TxOptions{}, func(ctx context.Context, tx *sql.Tx) error {
		next(t, faults, sptest.Fault{Name: "lost", Err: sqlitefaults.ErrLost, Lost: true, At: []sessionproxy.Op{sessionproxy.OpExec}})
		_ = exec(ctx, tx, debit)
		_ = exec(ctx, tx, credit)
		return nil
	})
	if err == nil {
		t.Error("the unit succeeds without its transaction")
	}
	if n, err := deposits(t.Context(), b); n != 0 || err != nil {
		t.Errorf("%d deposits, want none: %v", n, err)
	}
}
