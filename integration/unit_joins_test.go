package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// survive calls fn and returns what it panicked with.
func survive(fn func()) (panicked any) {
	defer func() { panicked = recover() }()
	fn()
	return nil
}

// TestAJoinedPanicIsNotCommittedByHalf holds for chains and without one.
func TestAJoinedPanicIsNotCommittedByHalf(t *testing.T) {
	t.Parallel()
	source := dbtest.SQLite(t)
	for name, chain := range map[string][]sp.Interceptor{"empty": nil, "a retry": {eager()}} {
		db := openDSN(t, "sqlite", "file:"+source, chain...)
		mustExec(t, db, "CREATE TABLE IF NOT EXISTS work (n INT)")
		err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, insertWork)
			if survive(func() {
				_ = db.RunInTx(ctx, nil, func(context.Context, *sql.Tx) error { panic("in the middle") })
			}) == nil {
				t.Error("the panic is gone")
			}
			return err
		})
		if n := scalar[int](t, db, "SELECT count(*) FROM work"); !errors.Is(err, sp.ErrAborted) || n != 0 {
			t.Errorf("%s: sqldb: %v, %d rows", name, err, n)
		}
		e := openEngine(t, "sqlite:"+source, engine.WithChain(sp.NewChain(chain...)))
		m := must(proxy.NewMaker(e))
		err = m.Run(t.Context(), func(ctx context.Context, s *proxy.Session) error {
			_, err := s.Execute(ctx, engine.Text(insertWork))
			_ = survive(func() { _ = m.Run(ctx, func(context.Context, *proxy.Session) error { panic("in the middle") }) })
			return err
		})
		if n := scalar[int](t, db, "SELECT count(*) FROM work"); !errors.Is(err, sp.ErrAborted) || n != 0 {
			t.Errorf("%s: maker: %v, %d rows", name, err, n)
		}
	}
}

// TestGoroutinesJoinAUnit is for the race detector, and holds that a failure on
// any goroutine fails the unit.
func TestGoroutinesJoinAUnit(t *testing.T) {
	t.Parallel()
	const joiners = 8
	db := openDSN(t, "pgx", dbtest.Postgres(t).Database(t).DSN(), eager())
	mustExec(t, db, "CREATE TABLE work (n INT)")
	for _, fails := range []bool{false, true} {
		err := db.RunInTx(t.Context(), nil, func(ctx context.Context, _ *sql.Tx) error {
			var wg sync.WaitGroup
			for i := range joiners {
				wg.Go(func() {
					_ = db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
						if fails && i%2 == 0 {
							return errRefusal
						}
						return unitSQL{tx}.exec(ctx, insertWork)
					})
				})
			}
			wg.Wait()
			return nil
		})
		if fails != errors.Is(err, errRefusal) {
			t.Errorf("fails %t: %v", fails, err)
		}
		if n := scalar[int](t, db, "SELECT count(*) FROM work"); n != joiners {
			t.Errorf("fails %t: %d rows", fails, n)
		}
	}

	server := dbtest.Postgres(t).Database(t)
	pool := must(pgxdb.NewPool(t.Context(), server.URL(), sp.NewChain(eager())))
	t.Cleanup(pool.Close)
	must(pool.Exec(t.Context(), "CREATE TABLE work (n INT)"))
	err := pool.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, _ pgx.Tx) error {
		var wg sync.WaitGroup
		for i := range joiners {
			wg.Go(func() {
				_ = pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
					err := unitPgx{tx}.exec(ctx, fmt.Sprintf("INSERT INTO work VALUES (%d)", i))
					if i%2 == 0 {
						return errRefusal
					}
					// A unit in this one does not wait for this one.
					return errors.Join(err, pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
						return unitPgx{tx}.exec(ctx, insertWork)
					}))
				})
			})
		}
		wg.Wait()
		return nil
	})
	var n int
	if qerr := pool.QueryRow(t.Context(), "SELECT count(*) FROM work").Scan(&n); err != nil || qerr != nil || n != joiners {
		t.Errorf("%v, %v: %d rows, want those of the functions that succeeded: %d", err, qerr, n, joiners)
	}

	e := openEngine(t, "sqlite:"+dbtest.SQLite(t))
	err = e.RunInTx(t.Context(), func(ctx context.Context, _ *engine.Tx) error {
		var wg sync.WaitGroup
		for range joiners {
			wg.Go(func() { _ = e.RunInTx(ctx, func(context.Context, *engine.Tx) error { return errRefusal }) })
		}
		wg.Wait()
		return nil
	})
	if !errors.Is(err, errRefusal) {
		t.Errorf("engine: %v", err)
	}
}

// TestBeginOfAMakerRefusesAnEnd holds that a function commits nothing by itself
// and does not go on in a second transaction.
func TestBeginOfAMakerRefusesAnEnd(t *testing.T) {
	t.Parallel()
	source := dbtest.SQLite(t)
	e := openEngine(t, "sqlite:"+source)
	outside := openDSN(t, "sqlite", "file:"+source)
	mustExec(t, outside, "CREATE TABLE work (n INT)")
	m := must(proxy.NewMaker(e))
	insert := func(ctx context.Context, s *proxy.Session) error {
		_, err := s.Execute(ctx, engine.Text(insertWork))
		return err
	}
	for name, begin := range map[string]func(context.Context, func(context.Context, *proxy.Session) error) error{"Begin": m.Begin, "Run": m.Run} {
		err := begin(t.Context(), func(ctx context.Context, s *proxy.Session) error {
			err := insert(ctx, s)
			if cerr := s.Commit(ctx); !errors.Is(cerr, engine.ErrTransactionManaged) {
				t.Errorf("%s: commit: %v", name, cerr)
			}
			return errors.Join(err, insert(ctx, s), errRefusal)
		})
		if n := scalar[int](t, outside, "SELECT count(*) FROM work"); !errors.Is(err, errRefusal) || n != 0 {
			t.Errorf("%s: after a commit and a failure: %v, %d rows", name, err, n)
		}
		for method, end := range map[string]func(context.Context, *proxy.Session) error{
			"rollback":   func(ctx context.Context, s *proxy.Session) error { return s.Rollback(ctx) },
			"close":      func(ctx context.Context, s *proxy.Session) error { return s.Close(ctx) },
			"reset":      func(ctx context.Context, s *proxy.Session) error { return s.Reset(ctx) },
			"invalidate": func(ctx context.Context, s *proxy.Session) error { return s.Invalidate(ctx) },
		} {
			err := begin(t.Context(), func(ctx context.Context, s *proxy.Session) error {
				err := insert(ctx, s)
				_ = end(ctx, s) // its error is overlooked, and half is believed undone
				return errors.Join(err, insert(ctx, s))
			})
			if n := scalar[int](t, outside, "SELECT count(*) FROM work"); !errors.Is(err, engine.ErrTransactionManaged) || n != 0 {
				t.Errorf("%s: after %s: %v, %d rows", name, method, err, n)
			}
		}
	}
}

// TestABusyDatabaseBehindAnErrorOfTheDomain holds the same for SQLite, whose
// transaction would go on after the fault.
func TestABusyDatabaseBehindAnErrorOfTheDomain(t *testing.T) {
	t.Parallel()
	source := "file:" + dbtest.SQLite(t)
	other := openDSN(t, "sqlite", source)
	mustExec(t, other, "CREATE TABLE work (n INT)")
	db := openDSN(t, "sqlite", source+"?_pragma=busy_timeout(0)", eager())
	runs := 0
	err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		if runs++; runs == 1 {
			hold := must(other.DB.Conn(ctx))
			defer hold.Close()
			mustExec(t, hold, "BEGIN IMMEDIATE")
			defer mustExec(t, hold, "ROLLBACK")
		}
		if err := (unitSQL{tx}).exec(ctx, insertWork); err != nil {
			return errRefusal
		}
		return nil
	})
	if n := scalar[int](t, other, "SELECT count(*) FROM work"); err != nil || runs != 2 || n != 1 {
		t.Errorf("%d runs, %d rows: %v", runs, n, err)
	}
}

// TestTheSpanOfAUnitHasTheClassOfTheHiddenFault holds it for the unit's own span.
func TestTheSpanOfAUnitHasTheClassOfTheHiddenFault(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	tracer := must(tracing.New(tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))))
	db := openDSN(t, "pgx", dbtest.Postgres(t).Database(t).DSN(), tracer)
	err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		return flat(unitSQL{tx}.exec(ctx, "DO $$ BEGIN RAISE EXCEPTION 'a conflict' USING ERRCODE = '40001'; END $$"))
	})
	if err == nil {
		t.Fatal("no error")
	}
	ended := spans.Ended()
	unit := ended[len(ended)-1]
	got := attribute.NewSet(unit.Attributes()...)
	class, _ := got.Value("sessionproxy.fault.class")
	code, _ := got.Value("db.response.status_code")
	if class.AsString() != "serialization" || code.AsString() != "40001" {
		t.Errorf("span %q: %v", unit.Name(), unit.Attributes())
	}
}
