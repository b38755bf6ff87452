package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// connect takes a connection that is closed when the test ends.
func (f *fixture) connect(opts ...engine.TxOption) *engine.Conn {
	f.Helper()
	c, err := f.Connect(f.Context(), opts...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			f.Error(err)
		}
	})
	return c
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// end closes a connection before the test ends.
func (f *fixture) end(c *engine.Conn) {
	f.Helper()
	f.ok(c.Close(f.Context()))
}

func insert(f *fixture, ex engine.Executor, name string) {
	f.Helper()
	f.exec(ex, "INSERT INTO item (name) VALUES (?)", name)
}

func testAutobegin(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	want(t, "before", c.InTransaction(), false)
	want(t, "transaction before", c.Transaction(), nil)
	f.ok(c.Commit(t.Context())) // without a transaction these do nothing
	f.ok(c.Rollback(t.Context()))
	insert(f, c, "a")
	want(t, "after a statement", c.InTransaction(), true)
	tx := c.Transaction()
	want(t, "active", tx.IsActive(), true)
	f.ok(c.Commit(t.Context()))
	want(t, "after commit", c.InTransaction(), false)
	want(t, "active after commit", tx.IsActive(), false)
	insert(f, c, "b")
	f.ok(c.Rollback(t.Context()))
	want(t, "rows", f.count(c), int64(1))
	f.end(c)
	want(t, "rows at the end", f.count(f), int64(1))
}

func testBeginTwice(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	tx := must[*engine.Tx](t)(c.Begin(t.Context()))
	if _, err := c.Begin(t.Context()); !errors.Is(err, engine.ErrTransactionBegun) {
		t.Errorf("begin twice: %v", err)
	}
	f.ok(tx.Commit(t.Context()))
	insert(f, c, "a") // begins by itself
	if _, err := c.Begin(t.Context()); !errors.Is(err, engine.ErrTransactionBegun) {
		t.Errorf("begin after a statement: %v", err)
	}
}

func testCloseRollsBack(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	insert(f, c, "a")
	f.end(c)
	f.end(c) // twice does nothing
	want(t, "rows", f.count(f), int64(0))
}

func testUseAfterEnd(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	tx := must[*engine.Tx](t)(c.Begin(t.Context()))
	f.ok(tx.Rollback(t.Context()))
	for name, use := range map[string]func() error{
		"commit":   func() error { return tx.Commit(t.Context()) },
		"rollback": func() error { return tx.Rollback(t.Context()) },
		"nested":   func() error { _, err := tx.BeginNested(t.Context()); return err },
		"execute":  func() error { _, err := tx.Execute(t.Context(), engine.Text("SELECT 1")); return err },
		"stream":   func() error { _, err := tx.Stream(t.Context(), engine.Text("SELECT 1")); return err },
		"query":    func() error { _, err := tx.Query(t.Context(), engine.Text("SELECT 1")); return err },
		"many":     func() error { _, err := tx.ExecuteMany(t.Context(), engine.Text("SELECT 1"), nil); return err },
		"batch":    func() error { _, err := tx.ExecuteBatch(t.Context(), engine.Text("SELECT 1")); return err },
	} {
		if err := use(); !errors.Is(err, engine.ErrTransactionClosed) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
	f.ok(tx.Close(t.Context())) // is meant to be deferred
	f.end(c)
	for name, use := range map[string]func() error{
		"begin":   func() error { _, err := c.Begin(t.Context()); return err },
		"nested":  func() error { _, err := c.BeginNested(t.Context()); return err },
		"execute": func() error { _, err := c.Execute(t.Context(), engine.Text("SELECT 1")); return err },
		"stream":  func() error { _, err := c.Stream(t.Context(), engine.Text("SELECT 1")); return err },
	} {
		if err := use(); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s on a closed connection: %v", name, err)
		}
	}
}

func testSavepoints(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	outer := must[*engine.Tx](t)(c.BeginNested(t.Context())) // begins the transaction too
	want(t, "nested", c.InNestedTransaction(), true)
	want(t, "innermost", c.NestedTransaction(), outer)
	insert(f, outer, "kept")
	inner := must[*engine.Tx](t)(outer.BeginNested(t.Context()))
	insert(f, inner, "undone")
	f.ok(inner.Rollback(t.Context()))
	want(t, "after rollback", f.count(c), int64(1))
	again := must[*engine.Tx](t)(outer.BeginNested(t.Context()))
	insert(f, again, "kept too")
	f.ok(again.Commit(t.Context()))
	want(t, "outer goes on", outer.IsActive(), true)
	f.ok(outer.Commit(t.Context()))
	want(t, "no longer nested", c.InNestedTransaction(), false)
	want(t, "still in a transaction", c.InTransaction(), true)
	f.ok(c.Commit(t.Context()))
	want(t, "rows", f.count(c), int64(2))
}

func testOuterEndsInner(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	tx := must[*engine.Tx](t)(c.Begin(t.Context()))
	outer := must[*engine.Tx](t)(tx.BeginNested(t.Context()))
	insert(f, outer, "a")
	inner := must[*engine.Tx](t)(outer.BeginNested(t.Context()))
	insert(f, inner, "b")
	f.ok(outer.Rollback(t.Context()))
	want(t, "inner after the outer", inner.IsActive(), false)
	if err := inner.Commit(t.Context()); !errors.Is(err, engine.ErrTransactionClosed) {
		t.Errorf("inner commit: %v", err)
	}
	insert(f, tx, "c")
	last := must[*engine.Tx](t)(tx.BeginNested(t.Context()))
	insert(f, last, "d")
	f.ok(tx.Commit(t.Context())) // with its open savepoint
	want(t, "last after the commit", last.IsActive(), false)
	want(t, "rows", f.count(c), int64(2))
}

func testReadOnly(t *testing.T, f *fixture) {
	f.items(1)
	if f.db.SingleConn {
		t.Skip("the one connection writes")
	}
	c := f.connect(engine.WithReadOnly())
	want(t, "rows", f.count(c), int64(1))
	if _, err := c.Execute(t.Context(), engine.Text("INSERT INTO item (name) VALUES ('x')")); err == nil {
		t.Error("a write in a read-only transaction is no error")
	}
	f.ok(c.Rollback(t.Context()))
	err := f.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
		_, err := tx.Execute(ctx, engine.Text("DELETE FROM item"))
		return err
	}, engine.WithReadOnly())
	if err == nil {
		t.Error("a write in a read-only unit is no error")
	}
	f.end(c)
	want(t, "rows", f.count(f), int64(1))
}

func testIsolation(t *testing.T, f *fixture) {
	f.items(1)
	c := f.connect()
	tx := must[*engine.Tx](t)(c.Begin(t.Context(), engine.WithIsolation(sql.LevelSerializable)))
	want(t, "rows", f.count(tx), int64(1))
	f.ok(tx.Rollback(t.Context()))
	if _, err := c.Begin(t.Context(), engine.WithIsolation(sql.LevelLinearizable)); err == nil {
		t.Error("an isolation level that no database has is no error")
	}
	want(t, "in a transaction", c.InTransaction(), false)
	if _, err := f.Connect(t.Context(), engine.WithIsolation(99)); err == nil {
		t.Error("isolation level 99 is no error")
	}
}

func testAutocommit(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect(engine.WithAutocommit())
	insert(f, c, "a")
	want(t, "in a transaction", c.InTransaction(), false)
	f.ok(c.Rollback(t.Context()))
	tx := must[*engine.Tx](t)(c.Begin(t.Context()))
	insert(f, tx, "b")
	f.ok(tx.Rollback(t.Context()))
	_, err := c.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (name) VALUES (?)"), []any{"c"}, []any{"d"})
	f.ok(err)
	s := must[*engine.Stream](t)(c.Stream(t.Context(), engine.Text("SELECT id FROM item ORDER BY id"), engine.WithWindow(2)))
	want(t, "streamed", len(must[[]engine.Row](t)(s.All())), 3)
	s = must[*engine.Stream](t)(c.Stream(t.Context(), engine.Text("SELECT a.id FROM item a CROSS JOIN item b"), engine.WithWindow(2)))
	if _, ok, err := s.FetchOne(); !ok || err != nil {
		t.Error(ok, err)
	}
	f.ok(s.Close())
	if f.Dialect().Features.DeleteReturning {
		s = must[*engine.Stream](t)(c.Stream(t.Context(), engine.Text("DELETE FROM item WHERE name = 'd' RETURNING name")))
		want(t, "deleted", must[[]any](t)(s.Scalars().All()), []any{"d"})
	} else {
		f.exec(c, "DELETE FROM item WHERE name = 'd'")
	}
	nested := must[*engine.Tx](t)(c.BeginNested(t.Context())) // begins a transaction too
	want(t, "nested", nested.Nested() && !c.Transaction().Nested(), true)
	f.ok(c.Rollback(t.Context()))
	f.end(c)
	want(t, "rows", f.count(f), int64(2))
	if _, err := f.Begin(t.Context(), engine.WithAutocommit()); err == nil {
		t.Error("a transaction in autocommit mode is no error")
	}
}

func testBeginOutlivesContext(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	ctx, cancel := context.WithCancel(t.Context())
	tx := must[*engine.Tx](t)(c.Begin(ctx))
	cancel()
	insert(f, tx, "a")
	f.ok(tx.Commit(t.Context()))
	want(t, "rows", f.count(c), int64(1))
	f.ok(c.Rollback(t.Context()))
	if _, err := c.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("begin with a dead context: %v", err)
	}
}

func testCloseWithDeadContext(t *testing.T, f *fixture) {
	f.items(0)
	ctx, cancel := context.WithCancel(t.Context())
	tx := must[*engine.Tx](t)(f.Begin(ctx))
	insert(f, tx, "a")
	cancel()
	if err := tx.Commit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("commit with a dead context: %v", err)
	}
	tx = must[*engine.Tx](t)(f.Begin(t.Context()))
	insert(f, tx, "b")
	f.ok(tx.Close(ctx))
	c := f.connect()
	insert(f, c, "c")
	f.ok(c.Close(ctx))
	want(t, "rows", f.count(f), int64(0))
	want(t, "in use", f.Stats().InUse, 0)
}

func testFailedStatement(t *testing.T, f *fixture) {
	f.items(1)
	c := f.connect()
	insert(f, c, "a")
	if _, err := c.Execute(t.Context(), engine.Text("INSERT INTO item (name) VALUES ('a')")); err == nil {
		t.Fatal("a duplicate is no error")
	}
	want(t, "in a transaction", c.InTransaction(), true)
	_, err := c.Execute(t.Context(), engine.Text("SELECT 1"))
	if f.Dialect().System != sp.PostgreSQL {
		f.ok(err) // the transaction lives on
		f.ok(c.Commit(t.Context()))
		want(t, "rows", f.count(c), int64(2))
		return
	}
	var aborted *engine.TxAbortedError
	if !errors.Is(err, engine.ErrTxAborted) || !errors.As(err, &aborted) || aborted.Cause == nil {
		t.Errorf("a statement after a failure: %v", err)
	}
	for _, asked := range []bool{true, false} { // in between, after the failure
		if !asked {
			_, _ = c.Execute(t.Context(), engine.Text("INSERT INTO item (name) VALUES ('a'), ('a')"))
		}
		if err := c.Commit(t.Context()); !errors.Is(err, engine.ErrTxAborted) || !errors.As(err, &aborted) || aborted.Cause == nil {
			t.Errorf("commit of an aborted transaction, with a statement before it %t: %v", asked, err)
		}
	}
	want(t, "rows", f.count(c), int64(1))
	f.ok(c.Rollback(t.Context()))
	err = f.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
		_, _ = tx.Execute(ctx, engine.Text("INSERT INTO item (name) VALUES ('a'), ('a')"))
		return nil
	})
	if !errors.Is(err, engine.ErrTxAborted) {
		t.Errorf("a unit that hides a failure: %v", err)
	}
}

// testInterruptedStatement cancels a write in the middle of a transaction. No
// database lets the transaction continue, and statements after it must not be
// committed on their own.
func testInterruptedStatement(t *testing.T, f *fixture) {
	f.items(200)
	f.exec(f, "CREATE TABLE big (n BIGINT)")
	tx := must[*engine.Tx](t)(f.Begin(t.Context()))
	insert(f, tx, "before")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	endless := engine.Text("INSERT INTO big SELECT a.id FROM item a CROSS JOIN item b CROSS JOIN item c CROSS JOIN item d CROSS JOIN item e")
	if _, err := tx.Execute(ctx, endless); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a statement that was given up: %v", err)
	}
	if _, err := tx.Execute(t.Context(), engine.Text("INSERT INTO item (name) VALUES ('after')")); err == nil {
		t.Error("a statement after it is no error")
	}
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("its commit is no error")
	}
	want(t, "rows", f.count(f), int64(200))
	want(t, "in use", f.Stats().InUse, 0)

	err := f.RunInTx(t.Context(), func(_ context.Context, tx *engine.Tx) error {
		insert(f, tx, "before")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		_, _ = tx.Execute(ctx, endless)
		_, _ = tx.Execute(t.Context(), engine.Text("INSERT INTO item (name) VALUES ('after')"))
		return nil
	})
	if err == nil {
		t.Error("a unit that hides it is no error")
	}
	want(t, "rows after the unit", f.count(f), int64(200))

	// A statement that was never sent ends nothing.
	c := f.connect()
	insert(f, c, "kept")
	if _, err := c.Execute(ctx, engine.Text("SELECT 1")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a statement with a dead context: %v", err)
	}
	f.ok(c.Commit(t.Context()))
	f.end(c)
	want(t, "rows at the end", f.count(f), int64(201))
}

func testEngineBegin(t *testing.T, f *fixture) {
	f.items(0)
	tx := must[*engine.Tx](t)(f.Begin(t.Context()))
	insert(f, tx, "a")
	f.ok(tx.Commit(t.Context()))
	want(t, "in use", f.Stats().InUse, 0)
	tx = must[*engine.Tx](t)(f.Begin(t.Context()))
	insert(f, tx, "b")
	f.ok(tx.Close(t.Context()))
	want(t, "rows", f.count(f), int64(1))
	want(t, "in use", f.Stats().InUse, 0)
}
