package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/retry"
)

// openTest returns a database with an empty table, behind a retry. A duplicate
// has SQLite roll back the transaction.
func openTest(t *testing.T) *DB {
	t.Helper()
	retrier, err := retry.New(retry.WithLockTimeouts())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{dsn: "file:" + filepath.Join(t.TempDir(), "test.db")}
	t.Cleanup(func() {
		if err := c.closeIdle(); err != nil {
			t.Error(err)
		}
	})
	db := Attach(c, "test.db", sessionproxy.NewChain(retrier))
	if _, err := db.Exec(t.Context(), "CREATE TABLE t (n INTEGER UNIQUE ON CONFLICT ROLLBACK)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func count(t *testing.T, db *DB) int64 {
	t.Helper()
	n, err := quantity(db.Query(t.Context(), "SELECT count(*) FROM t"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// insert is a step of a unit's function.
func insert(ctx context.Context, tx *Tx) error {
	_, err := tx.Exec(ctx, "INSERT INTO t VALUES (1)")
	return err
}

func TestAUnitThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	errOwn := errors.New("own")
	for name, fn := range map[string]func(context.Context, *Tx) error{
		"its function returns an error": func(ctx context.Context, tx *Tx) error {
			return errors.Join(insert(ctx, tx), errOwn)
		},
		"its function panics": func(ctx context.Context, tx *Tx) error {
			panic(errors.Join(insert(ctx, tx), errOwn))
		},
		"it goes on after SQLite has rolled back": func(ctx context.Context, tx *Tx) error {
			_, _ = insert(ctx, tx), insert(ctx, tx)
			_, err := tx.Exec(ctx, "INSERT INTO t VALUES (2)")
			if err == nil {
				t.Error("a statement ran outside its transaction")
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t)
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err, _ = p.(error)
					}
				}()
				return db.RunInTx(t.Context(), fn)
			}()
			if err == nil {
				t.Error("no error")
			}
			if n := count(t, db); n != 0 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

func TestAUnitThatHasCommittedIsNotReplayed(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	errBusy := busy(t)
	runs := 0
	err := db.RunInTx(t.Context(), func(ctx context.Context, tx *Tx) error {
		runs++
		if err := insert(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "COMMIT"); err != nil {
			return err
		}
		return errBusy
	})
	if !errors.Is(err, errBusy) || runs != 1 || count(t, db) != 1 {
		t.Errorf("%d runs, %d rows, error %v", runs, count(t, db), err)
	}
}

// busy returns the error of a transaction that did not get the write lock, for
// which a unit is replayed.
func busy(t *testing.T) error {
	t.Helper()
	c := &client{dsn: "file:" + filepath.Join(t.TempDir(), "busy.db")}
	var last error
	for range 2 {
		writer, err := c.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer writer.raw.Close()
		_, last = writer.exec(t.Context(), "BEGIN IMMEDIATE", nil)
	}
	if last == nil {
		t.Fatal("two transactions have the write lock")
	}
	return last
}

// TestAQueryThatIsRefusedLeavesNothing has an interceptor refuse a query after
// it has opened its rows.
func TestAQueryThatIsRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	if err := db.RunInTx(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	errRefused := errors.New("refused")
	refuse := sessionproxy.InterceptorFunc(func(next sessionproxy.Handler) sessionproxy.Handler {
		return func(ctx context.Context, call *sessionproxy.Call) error {
			return errors.Join(next(ctx, call), errRefused)
		}
	})
	refusing := *db
	refusing.handler = sessionproxy.NewChain(refuse).Then(attach.Perform)
	if rows, err := refusing.Query(t.Context(), "SELECT n FROM t"); !errors.Is(err, errRefused) {
		t.Errorf("rows %v, error %v", rows, err)
	}
	if _, err := db.Exec(t.Context(), "DROP TABLE t"); err != nil { // locked if the rows were open
		t.Error(err)
	}
}
