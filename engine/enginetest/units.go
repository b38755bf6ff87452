package enginetest

import (
	"context"
	"errors"
	"runtime"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

var errBoom = errors.New("boom")

// add returns a unit that inserts an item and returns err.
func add(f *fixture, name string, err error) func(context.Context, *engine.Tx) error {
	return func(_ context.Context, tx *engine.Tx) error {
		insert(f, tx, name)
		return err
	}
}

func testUnitCommits(t *testing.T, f *fixture) {
	f.items(0)
	f.ok(f.RunInTx(t.Context(), add(f, "a", nil)))
	want(t, "rows", f.count(f), int64(1))
	want(t, "in use", f.Stats().InUse, 0)
}

func testUnitRollsBack(t *testing.T, f *fixture) {
	f.items(0)
	if err := f.RunInTx(t.Context(), add(f, "a", errBoom)); !errors.Is(err, errBoom) {
		t.Errorf("unit: %v", err)
	}
	want(t, "rows", f.count(f), int64(0))
	want(t, "in use", f.Stats().InUse, 0)
}

func testUnitSurvivesPanic(t *testing.T, f *fixture) {
	f.items(0)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = f.RunInTx(t.Context(), func(_ context.Context, tx *engine.Tx) error {
			insert(f, tx, "a")
			panic("boom")
		})
	}()
	want(t, "rows", f.count(f), int64(0))
	want(t, "in use", f.Stats().InUse, 0)
}

func testUnitSurvivesGoexit(t *testing.T, f *fixture) {
	f.items(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f.RunInTx(t.Context(), func(_ context.Context, tx *engine.Tx) error {
			insert(f, tx, "a")
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	want(t, "rows", f.count(f), int64(0))
	want(t, "in use", f.Stats().InUse, 0)
}

func testUnitJoins(t *testing.T, f *fixture) {
	f.items(0)
	err := f.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
		insert(f, tx, "outer")
		if err := f.RunInTx(ctx, func(_ context.Context, inner *engine.Tx) error {
			want(t, "one transaction", inner, tx)
			return add(f, "inner", nil)(ctx, inner)
		}); err != nil {
			return err
		}
		want(t, "rows inside", f.count(tx), int64(2))
		return errBoom
	})
	if !errors.Is(err, errBoom) {
		t.Errorf("unit: %v", err)
	}
	want(t, "rows", f.count(f), int64(0))
}

func testUnitIsDoomed(t *testing.T, f *fixture) {
	f.items(0)
	err := f.RunInTx(t.Context(), func(ctx context.Context, _ *engine.Tx) error {
		_ = f.RunInTx(ctx, add(f, "half", errBoom)) // the failure is ignored
		return nil
	})
	if !errors.Is(err, errBoom) {
		t.Errorf("unit: %v", err)
	}
	want(t, "rows", f.count(f), int64(0))
}

func testUnitRefusesOtherOptions(t *testing.T, f *fixture) {
	f.items(0)
	nothing := func(context.Context, *engine.Tx) error { return nil }
	f.ok(f.RunInTx(t.Context(), func(ctx context.Context, _ *engine.Tx) error {
		if err := f.RunInTx(ctx, nothing, engine.WithReadOnly()); err == nil {
			t.Error("a unit that joins with other options is no error")
		}
		return f.RunInTx(ctx, nothing)
	}))
	if f.db.SingleConn {
		return
	}
	f.ok(f.RunInTx(t.Context(), func(ctx context.Context, _ *engine.Tx) error {
		return f.RunInTx(ctx, nothing, engine.WithReadOnly())
	}, engine.WithReadOnly()))
}

func testUnitNests(t *testing.T, f *fixture) {
	f.items(0)
	f.ok(f.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
		insert(f, tx, "a")
		if err := tx.RunNested(ctx, add(f, "b", errBoom)); !errors.Is(err, errBoom) {
			t.Errorf("nested: %v", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = tx.RunNested(ctx, func(_ context.Context, tx *engine.Tx) error {
				insert(f, tx, "c")
				panic("boom")
			})
		}()
		return tx.RunNested(ctx, add(f, "d", nil))
	}))
	want(t, "rows", f.count(f), int64(2))
}

func testUnitIsManaged(t *testing.T, f *fixture) {
	f.items(0)
	f.ok(f.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
		insert(f, tx, "a")
		for name, end := range map[string]func(context.Context) error{
			"commit": tx.Commit, "rollback": tx.Rollback, "close": tx.Conn().Close,
			"commit of the connection": tx.Conn().Commit, "rollback of the connection": tx.Conn().Rollback,
		} {
			if err := end(ctx); !errors.Is(err, engine.ErrTransactionManaged) {
				t.Errorf("%s inside a unit: %v", name, err)
			}
		}
		return nil
	}))
	want(t, "rows", f.count(f), int64(1))
	var kept *engine.Tx
	f.ok(f.RunInTx(t.Context(), func(_ context.Context, tx *engine.Tx) error { kept = tx; return nil }))
	if _, err := kept.Execute(t.Context(), engine.Text("SELECT 1")); !errors.Is(err, engine.ErrTransactionClosed) {
		t.Errorf("a transaction kept after its unit: %v", err)
	}
}

// replay is an interceptor that performs a unit again after its first failure, as
// a retry does.
var replay = sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op != sp.OpTransaction {
			return next(ctx, call)
		}
		if err := call.Try(ctx, next); err == nil {
			return nil
		}
		return call.Try(ctx, next)
	}
})

func testUnitIsReplayed(t *testing.T, f *fixture) {
	f.items(0)
	e := f.open(engine.WithChain(sp.NewChain(replay)))
	if f.db.SingleConn {
		f.exec(e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL UNIQUE, qty INTEGER)")
	}
	runs := 0
	f.ok(e.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
		runs++
		want(t, "a transaction of its own", f.count(tx), int64(0))
		var err error
		if runs == 1 {
			err = errBoom
		}
		return add(f, "a", err)(ctx, tx)
	}))
	want(t, "runs", runs, 2)
	want(t, "rows", f.count(e), int64(1))
	want(t, "in use", e.Stats().InUse, 0)
}
