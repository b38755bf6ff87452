package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/enginetest"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// engines are the databases that package engine knows. Each url is one that
// gives every test a database, or a schema, of its own.
var engines = []struct {
	name string
	urls func(t *testing.T) func(t testing.TB) string
}{
	{"SQLite", func(*testing.T) func(t testing.TB) string {
		return func(t testing.TB) string { return "sqlite:" + dbtest.SQLite(t) }
	}},
	{"MariaDB", func(t *testing.T) func(t testing.TB) string {
		server := dbtest.MariaDB(t)
		return func(t testing.TB) string { return server.Database(t).URL() }
	}},
	{"PostgreSQL", func(t *testing.T) func(t testing.TB) string {
		db := dbtest.Postgres(t).Database(t)
		e := openEngine(t, db.URL())
		var n atomic.Int64
		return func(t testing.TB) string {
			schema := "s" + strconv.FormatInt(n.Add(1), 10)
			execute(t, e, "CREATE SCHEMA "+schema)
			return db.URL("search_path=" + schema)
		}
	}},
}

// openEngine opens an engine that is disposed of when t ends.
func openEngine(t testing.TB, url string, opts ...engine.Option) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Dispose(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func execute(t testing.TB, ex engine.Executor, text string, args ...any) *engine.Result {
	t.Helper()
	res, err := ex.Execute(t.Context(), engine.Text(text, args...))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return res
}

// engineChain has every kind of interceptor, in the recommended order.
func engineChain() sp.Chain {
	return sp.NewChain(
		must(tracing.New()), must(timeout.New(time.Hour)), must(retry.New()), must(breaker.New()), must(tracing.New()),
	)
}

// TestEngineContract runs the contract behind a full chain; the packages of the
// dialects run it behind none.
func TestEngineContract(t *testing.T) {
	t.Parallel()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			enginetest.Run(t, enginetest.Database{URL: e.urls(t), Options: []engine.Option{engine.WithChain(engineChain())}})
		})
	}
}

// kill ends a connection from the outside, as an operator or a server that
// fails over does.
func kill(t *testing.T, e *engine.Engine, victim *engine.Conn) {
	t.Helper()
	ask, end := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%v, 5000)"
	if e.Dialect().System != sp.PostgreSQL {
		ask, end = "SELECT CONNECTION_ID()", "KILL CONNECTION %v"
	}
	id, err := execute(t, victim, ask).Scalar()
	if err != nil {
		t.Fatal(err)
	}
	execute(t, e, fmt.Sprintf(end, id))
}

// TestEngineOutlivesItsConnections kills connections at every point of a
// transaction's life: what was not committed is gone, what is tried on the dead
// connection is an error, and the engine goes on with new ones.
func TestEngineOutlivesItsConnections(t *testing.T) {
	t.Parallel()
	for _, d := range engines[1:] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for chain, opts := range map[string][]engine.Option{"no chain": nil, "a chain": {engine.WithChain(engineChain())}} {
				t.Run(chain, func(t *testing.T) {
					t.Parallel()
					e := openEngine(t, d.urls(t)(t), opts...)
					execute(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY)")
					for name, use := range map[string]func(ctx context.Context, c *engine.Conn) error{
						"statement": func(ctx context.Context, c *engine.Conn) error {
							_, err := c.Execute(ctx, engine.Text("INSERT INTO item VALUES (2)"))
							return err
						},
						"commit":    func(ctx context.Context, c *engine.Conn) error { return c.Commit(ctx) },
						"savepoint": func(ctx context.Context, c *engine.Conn) error { _, err := c.BeginNested(ctx); return err },
						"stream": func(ctx context.Context, c *engine.Conn) error {
							_, err := c.Stream(ctx, engine.Text("SELECT id FROM item"))
							return err
						},
					} {
						c, err := e.Connect(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						execute(t, c, "INSERT INTO item VALUES (1)")
						kill(t, e, c)
						if err := use(t.Context(), c); err == nil {
							t.Errorf("%s on a dead connection is no error", name)
						}
						_ = c.Close(t.Context()) // may say once more that the connection is dead
						if s := e.Stats(); s.InUse != 0 {
							t.Errorf("after a %s: %+v", name, s)
						}
						if n, _, err := engine.Scalar[int](t.Context(), e, engine.Text("SELECT count(*) FROM item")); n != 0 || err != nil {
							t.Errorf("after a %s: %d rows, %v", name, n, err)
						}
					}
				})
			}
		})
	}
}

// backend returns the server's number of the connection that ex uses.
func backend(t *testing.T, e *engine.Engine) int64 {
	t.Helper()
	ask := "SELECT pg_backend_pid()"
	if e.Dialect().System != sp.PostgreSQL {
		ask = "SELECT CONNECTION_ID()"
	}
	id, err := execute(t, e, ask).Scalar()
	if err != nil {
		t.Fatal(err)
	}
	return id.(int64)
}

// TestEnginePrePing kills an idle connection: verified before its use, it is
// replaced and nobody notices.
func TestEnginePrePing(t *testing.T) {
	t.Parallel()
	for _, d := range engines[1:] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.urls(t)(t)
			e := openEngine(t, url, engine.WithPoolSize(1), engine.WithMaxOverflow(0), engine.WithPrePing())
			killer := openEngine(t, url)
			before := backend(t, e)
			if e.Dialect().System == sp.PostgreSQL {
				execute(t, killer, "SELECT pg_terminate_backend(?, 5000)", before)
			} else {
				execute(t, killer, fmt.Sprintf("KILL CONNECTION %d", before))
				for execute(t, killer, "SELECT id FROM information_schema.processlist WHERE id = ?", before).RowsAffected() > 0 {
				}
			}
			if after := backend(t, e); after == before {
				t.Errorf("connection %d is still there", before)
			}
		})
	}
}

// TestEngineRecycles replaces connections that are older than they may be.
func TestEngineRecycles(t *testing.T) {
	t.Parallel()
	for _, d := range engines[1:] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.urls(t)(t)
			kept := openEngine(t, url, engine.WithPoolSize(1), engine.WithMaxOverflow(0))
			if a, b := backend(t, kept), backend(t, kept); a != b {
				t.Errorf("connection %d became %d", a, b)
			}
			recycled := openEngine(t, url, engine.WithPoolSize(1), engine.WithMaxOverflow(0), engine.WithPoolRecycle(20*time.Millisecond))
			for first := backend(t, recycled); backend(t, recycled) == first; {
				if t.Context().Err() != nil {
					t.Fatalf("connection %d was never replaced", first)
				}
			}
		})
	}
}

// TestEngineReplaysUnits kills the connection of a unit: with a retry in the
// chain the whole unit runs again on another one.
func TestEngineReplaysUnits(t *testing.T) {
	t.Parallel()
	for _, d := range engines[1:] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			e := openEngine(t, d.urls(t)(t), engine.WithChain(engineChain()))
			execute(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY)")
			runs := 0
			err := e.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
				runs++
				if _, err := tx.Execute(ctx, engine.Text("INSERT INTO item VALUES (1)")); err != nil {
					return err
				}
				if runs == 1 {
					kill(t, e, tx.Conn())
				}
				_, err := tx.Execute(ctx, engine.Text("INSERT INTO item VALUES (2)"))
				return err
			})
			if err != nil || runs != 2 {
				t.Errorf("%d runs, %v", runs, err)
			}
			if n, _, err := engine.Scalar[int](t.Context(), e, engine.Text("SELECT count(*) FROM item")); n != 2 || err != nil {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}

// TestEngineAbortsADeadlocksVictim makes two transactions wait for each other. The
// database ends one of them: MySQL and MariaDB roll it back and would commit
// each statement after it by itself.
func TestEngineAbortsADeadlocksVictim(t *testing.T) {
	t.Parallel()
	for _, d := range engines[1:] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			e := openEngine(t, d.urls(t)(t))
			execute(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER)")
			execute(t, e, "INSERT INTO item VALUES (1, 0), (2, 0)")
			a, b := must(e.Begin(t.Context())), must(e.Begin(t.Context()))
			update := engine.Text("UPDATE item SET n = n + 1 WHERE id = ?")
			execute(t, a, update.String(), 1)
			execute(t, b, update.String(), 2)
			errs := make(chan error, 2)
			go func() { _, err := a.Execute(t.Context(), update.With(2)); errs <- err }()
			go func() { _, err := b.Execute(t.Context(), update.With(1)); errs <- err }()
			first, second := <-errs, <-errs
			failed := errors.Join(first, second)
			operational, ok := errors.AsType[*engine.OperationalError](failed)
			if !ok || operational.Class != fault.ClassDeadlock || first != nil && second != nil {
				t.Fatalf("the deadlock: %v and %v", first, second)
			}
			victims := 0
			for _, tx := range []*engine.Tx{a, b} {
				_, err := tx.Execute(t.Context(), engine.Text("INSERT INTO item VALUES (?, 0)", 3+victims))
				if errors.Is(err, engine.ErrTxAborted) {
					victims++
					if err := tx.Commit(t.Context()); err == nil {
						t.Error("the victim's commit is no error")
					}
				} else if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
					t.Error(err)
				}
			}
			n, _, err := engine.Scalar[int](t.Context(), e, engine.Text("SELECT count(*) FROM item"))
			if victims != 1 || n != 3 || err != nil {
				t.Errorf("%d victims, %d rows, %v", victims, n, err)
			}
		})
	}
}

// TestEngineErrorsAreTheSameEverywhere compares what each database says of the
// same mistake.
func TestEngineErrorsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for _, d := range engines {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			e := openEngine(t, d.urls(t)(t), engine.WithPoolSize(2))
			execute(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY)")
			_, err := e.Execute(t.Context(), engine.Text("SELECT nope FROM item"))
			if _, ok := errors.AsType[*engine.ProgrammingError](err); !ok {
				t.Errorf("an unknown column: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
			defer cancel()
			if _, err := e.Execute(ctx, engine.Text("SELECT 1")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a deadline: %v", err)
			}
		})
	}
}
