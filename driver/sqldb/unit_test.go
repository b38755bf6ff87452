package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
)

func TestAUnitIsReplayedAsAWhole(t *testing.T) {
	t.Parallel()
	failures := 1
	db, rec, log := openWith(t, func(log *journal) driver.Conn { return flakyConn{&minimalConn{log: log}, &failures} }, again(3))
	runs := 0
	err := wrap(t, db).RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		runs++
		_, err := tx.ExecContext(ctx, "insert")
		return err
	})
	if err != nil || runs != 2 {
		t.Fatal(runs, err)
	}
	want := []string{"open", "begin", "exec", "rollback", "begin", "exec", "commit"}
	if !slices.Equal(log.all(), want) {
		t.Errorf("driver saw %v, want %v", log.all(), want)
	}
	if rec.finishes() != len(rec.calls) {
		t.Errorf("%d of %d calls finished", rec.finishes(), len(rec.calls))
	}
	for _, c := range rec.calls {
		if c.op == sp.OpExec && !c.inTx {
			t.Error("a statement of the unit does not know its transaction")
		}
	}
}

func TestNestedUnitsJoinTheOutermost(t *testing.T) {
	t.Parallel()
	db, _, log := openWith(t, plain, again(1))
	h := wrap(t, db)
	err := h.RunInTx(t.Context(), nil, func(ctx context.Context, outer *sql.Tx) error {
		return h.RunInTx(ctx, nil, func(_ context.Context, inner *sql.Tx) error {
			if inner != outer {
				t.Error("the nested unit has a transaction of its own")
			}
			return nil
		})
	})
	if err != nil || log.count("begin") != 1 || log.count("commit") != 1 {
		t.Errorf("error %v, driver saw %v", err, log.all())
	}

	err = h.RunInTx(t.Context(), nil, func(ctx context.Context, _ *sql.Tx) error {
		_ = h.RunInTx(ctx, nil, func(context.Context, *sql.Tx) error { return errRefused })
		return nil
	})
	if !errors.Is(err, errRefused) || log.count("rollback") != 1 {
		t.Errorf("a joined function failed, yet the unit ended with %v; driver saw %v", err, log.all())
	}

	err = h.RunInTx(t.Context(), nil, func(ctx context.Context, _ *sql.Tx) error {
		return h.RunInTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}, func(context.Context, *sql.Tx) error {
			t.Error("joined a transaction of another isolation level")
			return nil
		})
	})
	if err == nil {
		t.Error("no error")
	}

	var kept context.Context
	if err := h.RunInTx(t.Context(), nil, func(ctx context.Context, _ *sql.Tx) error { kept = ctx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := h.RunInTx(kept, nil, func(context.Context, *sql.Tx) error { return nil }); err == nil {
		t.Error("joined a transaction that had ended")
	}
}

func TestAPanicInAUnitRollsBack(t *testing.T) {
	t.Parallel()
	db, rec, log := openWith(t, plain)
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not pass")
			}
		}()
		_ = wrap(t, db).RunInTx(t.Context(), nil, func(context.Context, *sql.Tx) error { panic("boom") })
	}()
	if log.count("rollback") != 1 || log.count("commit") != 0 {
		t.Errorf("driver saw %v", log.all())
	}
	if !slices.ContainsFunc(rec.finished, func(err error) bool { return errors.Is(err, sp.ErrAborted) }) {
		t.Errorf("finished %v, want one ErrAborted", rec.finished)
	}
}

func TestACancelledUnitWasNotCommitted(t *testing.T) {
	t.Parallel()
	db, _, log := openWith(t, plain)
	ctx, cancel := context.WithCancel(t.Context())
	err := wrap(t, db).RunInTx(ctx, nil, func(context.Context, *sql.Tx) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("error %v", err)
	}
	if errors.Is(err, sp.ErrCommitUnknown) || log.count("commit") != 0 {
		t.Errorf("a COMMIT that was never sent is reported as unknown: %v", err)
	}
}
