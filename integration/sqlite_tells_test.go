package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// inTxs notes of each statement whether it was in a transaction.
type inTxs struct {
	mu  sync.Mutex
	are []bool
}

func (i *inTxs) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op == sp.OpExec {
			i.mu.Lock()
			i.are = append(i.are, call.InTx)
			i.mu.Unlock()
		}
		return next(ctx, call)
	}
}

// openMemory opens SQLite in memory, on one connection.
func openMemory(t *testing.T, links ...sp.Interceptor) *sql.DB {
	t.Helper()
	db := must(sqldb.Open("sqlite", ":memory:", sp.NewChain(links...)))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// A savepoint is set by text inside a transaction that was begun through
// BeginTx: with its COMMIT the connection is in no transaction any more.
func TestASavepointOfSQLiteEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	in := &inTxs{}
	c := must(openMemory(t, in).Conn(t.Context()))
	defer c.Close()
	tx := must(c.BeginTx(t.Context(), nil))
	must(tx.ExecContext(t.Context(), "SAVEPOINT a"))
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	must(c.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER)"))
	if want := []bool{true, false}; !slices.Equal(in.are, want) {
		t.Errorf("statements were in a transaction: %v, want %v", in.are, want)
	}
}

func TestSQLiteTellsWhetherATransactionIsOpen(t *testing.T) {
	t.Parallel()
	in := &inTxs{}
	db := openMemory(t, in)
	for _, c := range []struct {
		text string
		inTx bool
	}{
		{"CREATE TABLE t (n INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)", false},
		{"INSERT INTO t VALUES (2); BEGIN", true},
		{"INSERT INTO t VALUES (3); COMMIT", false},
		{"SAVEPOINT a", true},
		{"RELEASE a", false},
		{"BEGIN; ROLLBACK", false},
	} {
		must(db.ExecContext(t.Context(), c.text))
		must(db.ExecContext(t.Context(), "UPDATE t SET n = n WHERE n = 1"))
		if got := in.are[len(in.are)-1]; got != c.inTx {
			t.Errorf("after %q: in a transaction %t, want %t", c.text, got, c.inTx)
		}
	}
}

// TestSQLiteSaysWhatAFailureHasUndone fails by statements that undo themselves, or
// the transaction, by their own word.
func TestSQLiteSaysWhatAFailureHasUndone(t *testing.T) {
	t.Parallel()
	for insert, gone := range map[string]bool{"INSERT INTO t VALUES (1)": false, "INSERT OR ROLLBACK INTO t VALUES (1)": true} {
		db := openMemory(t, &inTxs{})
		must(db.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER PRIMARY KEY)"))
		must(db.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"))
		tx := must(db.BeginTx(t.Context(), nil))
		must(tx.ExecContext(t.Context(), "INSERT INTO t VALUES (2)"))
		if _, err := tx.ExecContext(t.Context(), insert); err == nil {
			t.Fatal("no error")
		}
		_, next := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (3)")
		commit := tx.Commit()
		if errors.Is(next, sqldb.ErrTxUndone) != gone || errors.Is(commit, sqldb.ErrTxUndone) != gone {
			t.Errorf("after %s: %v, %v", insert, next, commit)
		}
		var rows int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1, false: 3}[gone]; rows != want {
			t.Errorf("after %s: %d rows, want %d", insert, rows, want)
		}
	}
}
