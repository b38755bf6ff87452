package proxy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy"
)

func TestAnOpenStreamKeepsItsConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		c := connect(t, eng)
		s := stream(t, c, 5)
		inserted, later := c.Execute(t.Context(), insert(31)), c.StreamScalars(t.Context(), engine.Text(allIDs))
		last := c.Scalar(t.Context(), engine.Text("SELECT 7"))
		for what, err := range map[string]error{
			"a statement":                  discard(inserted.Await(t.Context())),
			"a stream":                     discard(later.Await(t.Context())),
			"a statement after the latter": discard(last.Await(t.Context())),
			"a savepoint":                  discard(c.BeginNested(t.Context()).Await(t.Context())),
			"a function":                   c.RunSync(t.Context(), func(context.Context, *engine.Conn) error { return nil }).Await(t.Context()),
		} {
			if !errors.Is(err, engine.ErrConnBusy) {
				t.Errorf("%s beside an open stream: %v", what, err)
			}
		}
		if _, ok, err := inserted.Poll(); ok || err != nil {
			t.Error("it did not wait", err)
		}
		// A wait for reads that find the end is no wait for ever.
		rest := s.All(t.Context())
		must(t, inserted)
		if rows := must(t, rest); len(rows) != 30 {
			t.Error(len(rows))
		}
		ids := must(t, must(t, later).All(t.Context()))
		if len(ids) != 31 {
			t.Error(len(ids))
		}
		if v := must(t, last); v != int64(7) {
			t.Error(v)
		}
		ok(t, c.Rollback(t.Context()))
	})
}

func discard[T any](_ T, err error) error { return err }

// TestWhatEndsATransactionEndsItsStreams has one stream open, another waiting
// for it and a statement behind that.
func TestWhatEndsATransactionEndsItsStreams(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		for name, end := range map[string]func(c *proxy.AsyncConnection, tx *proxy.AsyncTransaction) proxy.Completion{
			"Commit": func(c *proxy.AsyncConnection, _ *proxy.AsyncTransaction) proxy.Completion {
				return c.Commit(t.Context())
			},
			"Rollback": func(c *proxy.AsyncConnection, _ *proxy.AsyncTransaction) proxy.Completion {
				return c.Rollback(t.Context())
			},
			"Close": func(c *proxy.AsyncConnection, _ *proxy.AsyncTransaction) proxy.Completion {
				return c.Close(t.Context())
			},
			"Tx.Commit": func(_ *proxy.AsyncConnection, tx *proxy.AsyncTransaction) proxy.Completion {
				return tx.Commit(t.Context())
			},
			"Tx.Rollback": func(_ *proxy.AsyncConnection, tx *proxy.AsyncTransaction) proxy.Completion {
				return tx.Rollback(t.Context())
			},
			"Tx.Close": func(_ *proxy.AsyncConnection, tx *proxy.AsyncTransaction) proxy.Completion {
				return tx.Close(t.Context())
			},
		} {
			c := must(t, eng.Connect(t.Context()))
			tx := must(t, c.Begin(t.Context()))
			open := stream(t, tx, 5)
			asked := open.FetchMany(t.Context(), 7)
			waiting := c.Stream(t.Context(), engine.Text(allIDs), engine.WithWindow(5))
			behind := c.Scalar(t.Context(), engine.Text("SELECT 7"))
			ended := end(c, tx)
			late := open.FetchOne(t.Context())
			ok(t, ended)
			if rows := must(t, asked); len(rows) != 7 {
				t.Errorf("%s: %d rows that were asked for before", name, len(rows))
			}
			if _, err := late.Await(t.Context()); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("%s: a read after it: %v", name, err)
			}
			if _, err := must(t, waiting).FetchOne(t.Context()).Await(t.Context()); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("%s: a read of the other stream: %v", name, err)
			}
			if v := must(t, behind); v != int64(7) {
				t.Errorf("%s: %v", name, v)
			}
			ok(t, open.Close(t.Context()))
			ok(t, c.Close(t.Context()))
		}
	})
}

// TestACancelledStreamFreesItsConnection ends the context of a stream that
// nobody reads: what waits for it goes on, or is told why not.
func TestACancelledStreamFreesItsConnection(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		c := connect(t, eng)
		ctx, cancel := context.WithCancel(t.Context())
		s := must(t, c.Stream(ctx, engine.Text(allIDs), engine.WithWindow(5)))
		queued := c.Stream(ctx, engine.Text(allIDs)) // its context ends before its turn comes
		rolledBack := c.BeginNested(t.Context())
		cancel()
		<-rolledBack.Done()
		if _, err := queued.Await(t.Context()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		_, _ = rolledBack.Await(t.Context()) // it may find the transaction gone
		if _, err := s.All(t.Context()).Await(t.Context()); err == nil {
			t.Error("the stream was read to its end")
		}
		_ = c.Rollback(t.Context()).Await(t.Context())
		_ = c.Close(t.Context()).Await(t.Context())
	})
}

func TestAConnectionsQueueIsBounded(t *testing.T) {
	t.Parallel()
	blocking, err := engine.Open(t.Context(), "sqlite::memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer blocking.Dispose()
	eng, err := proxy.NewAsyncEngine(blocking, proxy.WithQueue(1), proxy.WithEngineOperations(1))
	if err != nil {
		t.Fatal(err)
	}
	c := must(t, eng.Connect(t.Context()))
	one := engine.Text("SELECT 1")
	s := must(t, c.Stream(t.Context(), engine.Text("SELECT 1 UNION SELECT 2"), engine.WithWindow(1)))
	waits := c.Scalar(t.Context(), one)
	tired, cancel := context.WithCancelCause(t.Context())
	cancel(errDB)
	if _, err := c.Scalar(tired, one).Await(t.Context()); !errors.Is(err, errDB) {
		t.Error("there was a place in the connection's queue:", err)
	}
	// The only connection is taken, so this waits for it, in the only place.
	op := eng.Scalar(t.Context(), one)
	if _, err := eng.Scalar(tired, one).Await(t.Context()); !errors.Is(err, errDB) {
		t.Error("there was a place in the engine:", err)
	}
	ok(t, s.Close(t.Context()))
	must(t, waits)
	ok(t, c.Close(t.Context()))
	must(t, op)
	// Inside a unit there is a place all the same; the connection is taken.
	ok(t, eng.RunInTx(t.Context(), func(ctx context.Context, _ *engine.Tx) error {
		if _, err := eng.Connect(ctx, engine.WithIsolation(-1)).Await(ctx); err == nil {
			t.Error("a bad option")
		}
		return nil
	}))
}
