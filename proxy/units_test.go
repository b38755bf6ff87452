package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/retry"

	sp "github.com/sessionproxy/sessionproxy"
)

// units run a function in a unit of work, with a session of each kind.
var units = map[string]func(ctx context.Context, m *proxy.Maker, once bool, fn func(ctx context.Context, h proxy.Handle) error) error{
	"blocking": func(ctx context.Context, m *proxy.Maker, once bool, fn func(ctx context.Context, h proxy.Handle) error) error {
		do := func(ctx context.Context, s *proxy.Session) error { return fn(ctx, s) }
		if once {
			return m.Begin(ctx, do)
		}
		return m.Run(ctx, do)
	},
	"awaited": func(ctx context.Context, m *proxy.Maker, once bool, fn func(ctx context.Context, h proxy.Handle) error) error {
		do := func(ctx context.Context, a *proxy.AsyncSession) error { return fn(ctx, a) }
		if once {
			return m.BeginAsync(ctx, do)
		}
		return m.RunAsync(ctx, do)
	},
}

// onEachUnit runs a test on each database with a maker whose engine retries.
func onEachUnit(t *testing.T, test func(t *testing.T, m *proxy.Maker, run func(ctx context.Context, m *proxy.Maker, once bool, fn func(ctx context.Context, h proxy.Handle) error) error)) {
	t.Helper()
	t.Parallel()
	for db, url := range databases {
		for kind, run := range units {
			t.Run(db+"/"+kind, func(t *testing.T) {
				t.Parallel()
				again, err := retry.New()
				if err != nil {
					t.Fatal(err)
				}
				m, err := proxy.NewMaker(shelves(t, url(t), sp.Interceptor(again)))
				if err != nil {
					t.Fatal(err)
				}
				test(t, m, run)
				if n := m.Engine().Stats().InUse; n != 0 {
					t.Errorf("%d connections are in use", n)
				}
			})
		}
	}
}

func TestAUnitCommitsOrRollsBack(t *testing.T) {
	onEachUnit(t, func(t *testing.T, m *proxy.Maker, run func(ctx context.Context, m *proxy.Maker, once bool, fn func(ctx context.Context, h proxy.Handle) error) error) {
		ctx, own := t.Context(), errors.New("my own")
		for _, once := range []bool{true, false} {
			before := shelfCount(t, m.Engine())
			var kept *Shelf
			if err := run(ctx, m, once, func(ctx context.Context, h proxy.Handle) error {
				kept = &Shelf{Name: "kept"}
				return proxy.New(h).Add(kept)
			}); err != nil || kept.ID == 0 {
				t.Errorf("%v, %+v", err, kept)
			}
			for name, fn := range map[string]func(ctx context.Context, p *proxy.Proxy) error{
				"an error":   func(ctx context.Context, p *proxy.Proxy) error { return own },
				"a commit":   func(ctx context.Context, p *proxy.Proxy) error { return p.Commit(ctx).Await(ctx) },
				"a rollback": func(ctx context.Context, p *proxy.Proxy) error { _ = p.Rollback(ctx).Await(ctx); return nil },
				"a bad statement": func(ctx context.Context, p *proxy.Proxy) error {
					_, err := p.Execute(ctx, engine.Text("SELECT nothing FROM nowhere")).Await(ctx)
					return err
				},
			} {
				err := run(ctx, m, once, func(ctx context.Context, h proxy.Handle) error {
					p := proxy.New(h)
					if err := p.Add(&Shelf{Name: "lost"}); err != nil {
						return err
					}
					if err := p.Flush(ctx).Await(ctx); err != nil {
						return err
					}
					return fn(ctx, p)
				})
				want := map[string]error{"an error": own, "a commit": engine.ErrTransactionManaged, "a rollback": engine.ErrTransactionManaged}[name]
				if err == nil || want != nil && !errors.Is(err, want) {
					t.Errorf("%s, once %t: %v", name, once, err)
				}
			}
			if n := shelfCount(t, m.Engine()); n != before+1 {
				t.Errorf("once %t: %d shelves, want %d", once, n, before+1)
			}
		}
	})
}

// classes keeps the class of what the calls of an operation ended with.
type classes struct {
	op sp.Op
	mu sync.Mutex
	of []fault.Class
}

// Wrap implements [sp.Interceptor].
func (c *classes) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		err := next(ctx, call)
		if call.Op == c.op {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.of = append(c.of, call.Verdict(err).Class)
		}
		return err
	}
}

// What a unit's function returns of its own is the caller's, and no fault of the
// database; what hides a fault of the database is that.
func TestAnErrorOfTheCallersOwnIsTheCallers(t *testing.T) {
	t.Parallel()
	own := errors.New("out of stock")
	for db, url := range databases {
		for kind, run := range units {
			t.Run(db+"/"+kind, func(t *testing.T) {
				t.Parallel()
				ctx, unit, sync := t.Context(), &classes{op: sp.OpTransaction}, &classes{op: sp.SessionOp("run_sync")}
				m, err := proxy.NewMaker(shelves(t, url(t), unit, sync))
				if err != nil {
					t.Fatal(err)
				}
				giveUp := func(ctx context.Context, h proxy.Handle) error {
					_, err := proxy.New(h).Execute(ctx, engine.Text("UPDATE shelf SET name = 'x'")).Await(ctx)
					return errors.Join(err, fmt.Errorf("order: %w", own))
				}
				if err := run(ctx, m, false, giveUp); !errors.Is(err, own) {
					t.Error(err)
				}
				hidden := func(ctx context.Context, h proxy.Handle) error {
					p := proxy.New(h)
					for range 2 {
						if _, err := p.Execute(ctx, engine.Text("INSERT INTO shelf (id, name) VALUES (7, 'x')")).Await(ctx); err != nil {
							return fmt.Errorf("sorry: %v", err)
						}
					}
					return nil
				}
				if err := run(ctx, m, false, hidden); err == nil {
					t.Error("two rows of a key")
				}
				a := m.Async()
				_, err = proxy.RunSync(ctx, proxy.New(a), func(context.Context, *orm.Session) (int, error) { return 0, own }).Await(ctx)
				is(t, err, own)
				ok(t, a.Close(ctx))
				if !slices.Equal(unit.of, []fault.Class{fault.ClassCaller, fault.ClassIntegrity}) || !slices.Equal(sync.of, []fault.Class{fault.ClassCaller}) {
					t.Errorf("units ended as %v, run_sync as %v", unit.of, sync.of)
				}
			})
		}
	}
}

// What nobody has awaited fails the unit.
func TestAnAwaitedUnitAwaitsEverything(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			m, err := proxy.NewMaker(shelves(t, url(t)))
			if err != nil {
				t.Fatal(err)
			}
			for _, once := range []bool{true, false} {
				err := units["awaited"](t.Context(), m, once, func(ctx context.Context, h proxy.Handle) error {
					a := h.(*proxy.AsyncSession)
					if err := a.Add(&Shelf{Name: "lost"}); err != nil {
						return err
					}
					a.Execute(ctx, engine.Text("INSERT INTO shelf (name) VALUES ('lost too')"))
					a.Execute(ctx, engine.Text("SELECT nothing FROM nowhere"))
					return nil
				})
				var wrong *engine.ProgrammingError
				if !errors.As(err, &wrong) || shelfCount(t, m.Engine()) != 0 {
					t.Errorf("once %t: %v, %d shelves", once, err, shelfCount(t, m.Engine()))
				}
				if err := units["awaited"](t.Context(), m, once, func(ctx context.Context, h proxy.Handle) error {
					h.(*proxy.AsyncSession).Execute(ctx, engine.Text("INSERT INTO shelf (name) VALUES ('kept')"))
					return nil
				}); err != nil || shelfCount(t, m.Engine()) != 1 {
					t.Errorf("once %t: %v, %d shelves", once, err, shelfCount(t, m.Engine()))
				}
				create(t, m.Engine(), "DELETE FROM shelf")
			}
		})
	}
}

// A lost race is run again, with a fresh session, unless told otherwise.
func TestALostRaceIsReplayed(t *testing.T) {
	onEachUnit(t, func(t *testing.T, m *proxy.Maker, run func(ctx context.Context, m *proxy.Maker, once bool, fn func(ctx context.Context, h proxy.Handle) error) error) {
		ctx := t.Context()
		one := &Shelf{Name: "one", Boxes: []*Box{{Label: "a"}}}
		if err := m.Begin(ctx, func(_ context.Context, s *proxy.Session) error { return s.Add(one) }); err != nil {
			t.Fatal(err)
		}
		id := one.Boxes[0].ID
		runs := 0
		lose := func(ctx context.Context, h proxy.Handle) error {
			p := proxy.New(h)
			b, err := proxy.GetOne[Box](ctx, p, id).Await(ctx)
			if err != nil {
				return err
			}
			if runs++; runs == 1 { // as if another had been faster
				if _, err := p.Execute(ctx, engine.Text("UPDATE box SET version = version + 1")).Await(ctx); err != nil {
					return err
				}
			}
			b.Label += "!"
			return nil
		}
		if err := run(ctx, m, false, lose); err != nil || runs != 2 {
			t.Errorf("%v after %d runs", err, runs)
		}
		told, err := m.With(proxy.WithoutStaleReplay())
		if err != nil {
			t.Fatal(err)
		}
		runs = 0
		err = run(ctx, told, false, lose)
		if _, ok := errors.AsType[*orm.StaleDataError](err); !ok || !errors.Is(err, fault.ErrStale) || runs != 1 {
			t.Errorf("%v after %d runs", err, runs)
		}
		runs = 0
		if err := run(ctx, m, true, lose); !errors.Is(err, fault.ErrStale) || runs != 1 {
			t.Errorf("%v after %d runs", err, runs)
		}
		s := m.Session()
		defer s.Close(ctx)
		b, err := orm.GetOne[Box](ctx, s, id) // what the maker gives is what the functions take
		if err != nil || b.Label != "a!" {
			t.Errorf("%v, %+v", err, b)
		}
	})
}

// The transaction of a session and of a connection, on the awaited side.
func TestTransactionsOfAwaitedSides(t *testing.T) {
	onAwaited(t, 0, func(t *testing.T, a *proxy.AsyncSession) {
		ctx := t.Context()
		if a.Transaction() != nil || a.NestedTransaction() != nil {
			t.Error("a transaction that has not begun")
		}
		ok(t, a.Begin(ctx))
		tx := a.Transaction()
		sp := must(t, a.BeginNested(ctx))
		if !tx.IsActive() || !a.NestedTransaction().IsActive() {
			t.Error("there is none")
		}
		ok(t, a.NestedTransaction().Rollback(ctx))
		if sp.IsActive() || a.NestedTransaction() != nil {
			t.Error("the savepoint is there")
		}
		if err := a.Add(&Shelf{Name: "kept"}); err != nil {
			t.Fatal(err)
		}
		ok(t, tx.Commit(ctx))
		if tx.IsActive() || a.Transaction() != nil || shelfCount(t, a.Bind()) != 1 {
			t.Error("the transaction was not committed")
		}
		eng, err := proxy.NewAsyncEngine(a.Bind())
		if err != nil {
			t.Fatal(err)
		}
		conn := connect(t, eng)
		if conn.Transaction() != nil {
			t.Error("a connection's transaction that has not begun")
		}
		must(t, conn.Execute(ctx, engine.Text("DELETE FROM shelf"))) // it begins by itself
		auto := conn.Transaction()
		nested := must(t, conn.BeginNested(ctx))
		if conn.NestedTransaction() != nested || conn.Transaction() != auto || !auto.IsActive() {
			t.Error("the connection's transactions are others")
		}
		ok(t, auto.Rollback(ctx))
		if nested.IsActive() || auto.IsActive() || conn.Transaction() != nil || shelfCount(t, a.Bind()) != 1 {
			t.Error("the transaction was not rolled back")
		}
	})
}
