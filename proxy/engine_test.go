package proxy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/proxy"
)

func TestAnAwaitedEngineRunsStatements(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		ok(t, eng.Ping(t.Context()))
		ids := must(t, eng.Execute(t.Context(), engine.Text("SELECT id FROM item WHERE id > ? ORDER BY id", 28)))
		all, err := engine.ScalarsOf[int](ids, 0).All()
		if err != nil || len(all) != 2 || all[0] != 29 {
			t.Error(all, err)
		}
		results := must(t, eng.ExecuteBatch(t.Context(), insert(31), engine.Text("SELECT max(id) FROM item")))
		if top, err := results[1].ScalarOne(); err != nil || top != int64(31) {
			t.Error(top, err)
		}
		if none := must(t, eng.Scalar(t.Context(), engine.Text("SELECT id FROM item WHERE id = 0"))); none != nil {
			t.Error("the scalar of no row:", none)
		}
		var violated *integrity.Error
		if _, err := eng.Execute(t.Context(), insert(1)).Await(t.Context()); !errors.As(err, &violated) {
			t.Error(err)
		}
		ok(t, eng.Dispose(t.Context()))
		if n := count(t, eng); n != 31 {
			t.Errorf("%d items after the pool was disposed of", n)
		}
	})
}

func TestAUnitOfWorkCommitsOrRollsBack(t *testing.T) {
	t.Parallel()
	errChanged := errors.New("changed my mind")
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		unit := func(id int, result error) error {
			return eng.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
				if _, err := tx.Execute(ctx, insert(id)); err != nil {
					return err
				}
				return result
			}).Await(t.Context())
		}
		if err := unit(31, nil); err != nil {
			t.Error(err)
		}
		if err := unit(32, errChanged); !errors.Is(err, errChanged) {
			t.Error(err)
		}
		if n := count(t, eng); n != 31 {
			t.Errorf("%d items", n)
		}
	})
}

// TestWhatTheSeedCalls is the second seed's example: create_all in a
// transaction of the engine, by a blocking function.
func TestWhatTheSeedCalls(t *testing.T) {
	t.Parallel()
	createAll := func(ctx context.Context, ex engine.Executor) error {
		_, err := ex.Execute(ctx, engine.Text("CREATE TABLE made (id INTEGER)"))
		return err
	}
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		conn := connect(t, eng)
		ok(t, conn.RunSync(t.Context(), func(ctx context.Context, c *engine.Conn) error {
			if c.Engine() != eng.Sync() {
				t.Error("the connection is another engine's")
			}
			return createAll(ctx, c)
		}))
		ok(t, conn.Commit(t.Context()))
		tx := must(t, eng.Begin(t.Context()))
		ok(t, tx.RunSync(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
			_, err := tx.Execute(ctx, engine.Text("INSERT INTO made (id) VALUES (7)"))
			return err
		}))
		ok(t, tx.Commit(t.Context()))
		if v := must(t, eng.Scalar(t.Context(), engine.Text("SELECT id FROM made"))); v != int64(7) {
			t.Error(v)
		}
	})
}

// TestAConnectionNobodyWasHandedGoesBack gives up the wait for connections at
// any moment: whatever the pool gave is given back.
func TestAConnectionNobodyWasHandedGoesBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, eng *proxy.AsyncEngine) {
		for range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			conn, tx := eng.Connect(ctx), eng.Begin(ctx, engine.WithReadOnly())
			go cancel()
			if c, err := conn.Await(ctx); err == nil {
				ok(t, c.Close(t.Context()))
			}
			if tx, err := tx.Await(ctx); err == nil {
				ok(t, tx.Close(t.Context()))
			}
			<-ctx.Done()
			<-conn.Done()
			<-tx.Done()
		}
		// Once its context is over, it can't be had any more.
		ctx, cancel := context.WithCancel(t.Context())
		late := eng.Connect(ctx)
		<-late.Done()
		cancel()
		for eng.Sync().Stats().InUse != 0 { // if it stays, the test does
			ok(t, eng.Ping(t.Context()))
		}
		if _, err := late.Await(t.Context()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestOptionsOfAnAwaitedEngineAreChecked(t *testing.T) {
	t.Parallel()
	eng, err := engine.Open(t.Context(), "sqlite::memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Dispose()
	for want, opt := range map[string]proxy.EngineOption{
		"WithQueue: 0":                   proxy.WithQueue(0),
		"WithQueue: 1048577":             proxy.WithQueue(1<<20 + 1),
		"WithEngineOperations: -1":       proxy.WithEngineOperations(-1),
		"WithEngineOperations: 16777216": proxy.WithEngineOperations(1 << 24),
	} {
		if _, err := proxy.NewAsyncEngine(eng, opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if _, err := proxy.NewAsyncEngine(nil); err == nil {
		t.Error("an engine of nothing")
	}
	if _, err := proxy.NewAsyncEngine(eng, nil, proxy.WithQueue(1), proxy.WithEngineOperations(1)); err != nil {
		t.Error(err)
	}
}
