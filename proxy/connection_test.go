package proxy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/proxy"
)

func TestATransactionOfAConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		c := connect(t, eng)
		if c.Engine() != eng || c.Dialect() != eng.Dialect() || c.InTransaction() {
			t.Error("a new connection")
		}
		must(t, c.Execute(t.Context(), insert(31))) // autobegin
		if _, err := c.Begin(t.Context()).Await(t.Context()); !errors.Is(err, engine.ErrTransactionBegun) {
			t.Error(err)
		}
		if !c.InTransaction() || c.InNestedTransaction() {
			t.Error("autobegin", c.InTransaction(), c.InNestedTransaction())
		}
		ok(t, c.Rollback(t.Context()))

		tx := must(t, c.Begin(t.Context()))
		must(t, tx.Execute(t.Context(), insert(32)))
		sp := must(t, tx.BeginNested(t.Context()))
		must(t, sp.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (id, name) VALUES (?, 'new')"), []any{33}, []any{34}))
		inner := must(t, c.BeginNested(t.Context()))
		if !c.InNestedTransaction() || !sp.Nested() || tx.Nested() || sp.Connection() != c || sp.Dialect() != eng.Dialect() {
			t.Error("in a savepoint")
		}
		if n := count(t, inner); n != 33 {
			t.Errorf("%d items in the savepoint", n)
		}
		ok(t, sp.Rollback(t.Context())) // ends the inner one
		if inner.IsActive() || sp.IsActive() || !tx.IsActive() || c.InNestedTransaction() || !c.InTransaction() {
			t.Error("after the savepoint", inner.IsActive(), sp.IsActive(), tx.IsActive())
		}
		if _, err := inner.Execute(t.Context(), insert(35)).Await(t.Context()); !errors.Is(err, engine.ErrTransactionClosed) {
			t.Error(err)
		}
		kept := must(t, tx.BeginNested(t.Context()))
		must(t, kept.ExecuteBatch(t.Context(), insert(36), insert(37)))
		ok(t, kept.Commit(t.Context()))
		ok(t, tx.Commit(t.Context()))
		ok(t, tx.Close(t.Context()))
		if tx.IsActive() || c.InTransaction() {
			t.Error("after the commit")
		}
		if err := tx.Rollback(t.Context()).Await(t.Context()); !errors.Is(err, engine.ErrTransactionClosed) {
			t.Error(err)
		}
		ok(t, c.Commit(t.Context())) // nothing
		if n := count(t, c); n != 33 {
			t.Errorf("%d items", n)
		}
	})
}

func TestATransactionOfTheEngineTakesItsConnectionAlong(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		for id, end := range map[int]func(tx *proxy.AsyncTransaction) proxy.Completion{
			31: func(tx *proxy.AsyncTransaction) proxy.Completion { return tx.Commit(t.Context()) },
			32: func(tx *proxy.AsyncTransaction) proxy.Completion { return tx.Rollback(t.Context()) },
			33: func(tx *proxy.AsyncTransaction) proxy.Completion { return tx.Close(t.Context()) },
			34: func(tx *proxy.AsyncTransaction) proxy.Completion { return tx.Connection().Close(t.Context()) },
		} {
			tx := must(t, eng.Begin(t.Context()))
			if !tx.IsActive() {
				t.Error("not active")
			}
			tx.Execute(t.Context(), insert(id))
			ok(t, end(tx))
			if tx.IsActive() || eng.Sync().Stats().InUse != 0 {
				t.Error("a connection is left")
			}
			ok(t, tx.Connection().Close(t.Context()))
		}
		if n := count(t, eng); n != 31 {
			t.Errorf("%d items", n)
		}
	})
}

// TestWhatNobodyAwaitedIsNotCommitted lets a statement fail without a look at
// it. Not every database would refuse the commit.
func TestWhatNobodyAwaitedIsNotCommitted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		var violated *integrity.Error
		c := connect(t, eng)
		c.Execute(t.Context(), insert(31))
		c.Execute(t.Context(), insert(1))
		commit := c.Commit(t.Context())
		if n := count(t, c); n != 30 {
			t.Errorf("%d items", n)
		}
		if err := commit.Await(t.Context()); !errors.As(err, &violated) {
			t.Error(err)
		}
		ok(t, c.Rollback(t.Context()))

		tx := must(t, eng.Begin(t.Context()))
		tx.Execute(t.Context(), insert(31))
		tx.Execute(t.Context(), insert(1))
		if err := tx.Commit(t.Context()).Await(t.Context()); !errors.As(err, &violated) || tx.IsActive() {
			t.Error(err)
		}

		c.Execute(t.Context(), insert(1))
		ok(t, c.Rollback(t.Context())) // what failed is undone
		c.Execute(t.Context(), insert(31))
		ok(t, c.Commit(t.Context()))

		other := must(t, eng.Connect(t.Context()))
		other.Execute(t.Context(), insert(1))
		if err := other.Close(t.Context()).Await(t.Context()); !errors.As(err, &violated) {
			t.Error(err)
		}
		ok(t, other.Close(t.Context()))
		if _, err := other.Execute(t.Context(), insert(40)).Await(t.Context()); !errors.Is(err, engine.ErrClosed) {
			t.Error(err)
		}
		ok(t, c.Commit(t.Context()))
		if n := count(t, c); n != 31 {
			t.Errorf("%d items", n)
		}
	})
}

func TestAnEndRunsWhenItsContextIsOver(t *testing.T) {
	t.Parallel()
	dead, cancel := context.WithCancel(context.Background())
	cancel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		c := must(t, eng.Connect(t.Context()))
		must(t, c.Execute(t.Context(), insert(31)))
		if _, err := c.Execute(dead, insert(32)).Await(t.Context()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		c.Close(dead)
		tx := must(t, eng.Begin(t.Context()))
		must(t, tx.Execute(t.Context(), insert(33)))
		tx.Close(dead)
		for eng.Sync().Stats().InUse != 0 { // if it stays, the test does
			ok(t, eng.Ping(t.Context()))
		}
		if n := count(t, eng); n != 30 {
			t.Errorf("%d items", n)
		}
	})
}

func TestABlockingFunctionUsesTheAwaitedConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		c := connect(t, eng)
		before := c.Execute(t.Context(), insert(31))
		run := c.RunSync(t.Context(), func(ctx context.Context, blocking *engine.Conn) error {
			if !blocking.InTransaction() {
				t.Error("the statement before it has not run")
			}
			// Awaited methods run at once, and their futures are settled.
			sp, err := c.BeginNested(ctx).Await(ctx)
			if err != nil {
				return err
			}
			if _, err := blocking.Execute(ctx, insert(32)); err != nil {
				return err
			}
			s, err := sp.Stream(ctx, engine.Text(allIDs), engine.WithWindow(5)).Await(ctx)
			if err != nil {
				return err
			}
			n := 0
			for _, err := range s.Iter(ctx) {
				if n++; err != nil || n == 12 {
					break
				}
			}
			if _, err := c.Execute(ctx, insert(33)).Await(ctx); !errors.Is(err, engine.ErrConnBusy) {
				t.Error("beside an open stream:", err)
			}
			return sp.Commit(ctx).Await(ctx) // ends the stream
		})
		after := c.Scalar(t.Context(), engine.Text("SELECT count(*) FROM item"))
		if n := must(t, after); n != int64(32) {
			t.Errorf("%v items", n)
		}
		ok(t, run)
		must(t, before)

		// A stream that the function has left open keeps the queue.
		var left proxy.AsyncResult
		ok(t, c.RunSync(t.Context(), func(ctx context.Context, _ *engine.Conn) (err error) {
			left, err = c.Stream(ctx, engine.Text(allIDs), engine.WithWindow(5)).Await(ctx)
			return err
		}))
		later := c.Scalar(t.Context(), engine.Text("SELECT 7"))
		if _, err := later.Await(t.Context()); !errors.Is(err, engine.ErrConnBusy) {
			t.Error(err)
		}
		ok(t, left.Close(t.Context()))
		if v := must(t, later); v != int64(7) {
			t.Error(v)
		}
		ok(t, c.Commit(t.Context()))
	})
}

func TestAnInvalidConnectionIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	eng := stocked(t, databases["postgres"](t), engine.WithPoolSize(1))
	pid := engine.Text("SELECT pg_backend_pid()")
	serve := func(invalidate bool) any {
		c := must(t, eng.Connect(t.Context()))
		defer func() { ok(t, c.Close(t.Context())) }()
		if invalidate {
			ok(t, c.Invalidate(t.Context()))
		}
		return must(t, c.Scalar(t.Context(), pid))
	}
	if first := serve(false); serve(true) != first || serve(false) == first {
		t.Error("the connection was used again")
	}
}
