package proxy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// again is an interceptor that performs a unit of work until it succeeds, three
// times at most.
type again struct{ runs int }

func (a *again) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op != sp.OpTransaction {
			return next(ctx, call)
		}
		var err error
		for range 3 {
			a.runs++
			if err = call.Try(ctx, next); err == nil {
				break
			}
		}
		return err
	}
}

func shelfCount(t *testing.T, eng *engine.Engine) int {
	t.Helper()
	n, _, err := engine.Scalar[int](t.Context(), eng, engine.Text("SELECT count(*) FROM shelf"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRunReplaysTheUnitWithAFreshSession(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			a := &again{}
			eng := shelves(t, url(t), a)
			m, err := proxy.NewMaker(eng)
			if err != nil {
				t.Fatal(err)
			}
			a.runs = 0
			var sessions []*proxy.Session
			var kept *Shelf
			err = m.Run(t.Context(), func(ctx context.Context, s *proxy.Session) error {
				sessions = append(sessions, s)
				kept = &Shelf{Name: "one", Boxes: []*Box{{Label: "a"}}}
				if err := s.Add(kept); err != nil {
					return err
				}
				if n, err := orm.From[Shelf]().Count(ctx, s.Session); n != 1 || err != nil {
					t.Errorf("%d shelves, error %v: the run before was not rolled back", n, err)
				}
				if len(sessions) < 3 {
					return errors.New("not yet")
				}
				return nil
			})
			if err != nil || a.runs != 3 || sessions[0] == sessions[1] {
				t.Fatalf("%d runs, error %v", a.runs, err)
			}
			if n := shelfCount(t, eng); n != 1 || kept.ID == 0 || kept.Boxes[0].ShelfID != kept.ID {
				t.Errorf("%d shelves, %+v", n, kept)
			}
			if sessions[2].Contains(kept) {
				t.Error("the session still has the object")
			}
		})
	}
}

func TestRunEndsTheTransactionItself(t *testing.T) {
	t.Parallel()
	eng := shelves(t, "sqlite:"+t.TempDir()+"/run.db")
	m, err := proxy.NewMaker(eng)
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(ctx context.Context, s *proxy.Session) error{
		"commit":   func(ctx context.Context, s *proxy.Session) error { return s.Commit(ctx) },
		"rollback": func(ctx context.Context, s *proxy.Session) error { return s.Rollback(ctx) },
	} {
		err := m.Run(t.Context(), func(ctx context.Context, s *proxy.Session) error {
			return errors.Join(s.Add(&Shelf{Name: name}), end(ctx, s))
		})
		if !errors.Is(err, engine.ErrTransactionManaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_ = m.Run(t.Context(), func(ctx context.Context, s *proxy.Session) error {
			_ = s.Add(&Shelf{Name: "panic"})
			_ = s.Flush(ctx)
			panic("in the middle")
		})
	}()
	err = m.Run(t.Context(), func(ctx context.Context, outer *proxy.Session) error {
		if err := errors.Join(outer.Add(&Shelf{Name: "outer"}), outer.Flush(ctx)); err != nil {
			return err
		}
		return m.Run(ctx, func(ctx context.Context, inner *proxy.Session) error {
			n, err := orm.From[Shelf]().Count(ctx, inner.Session)
			if n != 1 {
				t.Errorf("the inner session sees %d shelves", n)
			}
			return errors.Join(err, inner.Add(&Shelf{Name: "inner"}))
		})
	})
	if n := shelfCount(t, eng); err != nil || n != 2 {
		t.Errorf("%d shelves, error %v", n, err)
	}
}

func TestBeginCommitsOrRollsBack(t *testing.T) {
	t.Parallel()
	eng := shelves(t, "sqlite:"+t.TempDir()+"/begin.db")
	m, err := proxy.NewMaker(eng)
	if err != nil {
		t.Fatal(err)
	}
	add := func(result error) error {
		return m.Begin(t.Context(), func(ctx context.Context, s *proxy.Session) error {
			return errors.Join(s.Add(&Shelf{Name: "x"}), s.Flush(ctx), result)
		})
	}
	if err := add(nil); err != nil {
		t.Error(err)
	}
	if err := add(errStop); !errors.Is(err, errStop) {
		t.Error(err)
	}
	if n := shelfCount(t, eng); n != 1 {
		t.Errorf("%d shelves", n)
	}
}

var errStop = errors.New("stop")

func TestMakersRefuseBadOptions(t *testing.T) {
	t.Parallel()
	eng := shelves(t, "sqlite::memory:")
	if _, err := proxy.NewMaker(nil); err == nil {
		t.Error("a maker without an engine")
	}
	m, err := proxy.NewMaker(eng, proxy.WithSession(orm.WithoutAutobegin()))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []proxy.MakerOption{proxy.WithQueue(0), proxy.WithQueue(1 << 30), proxy.WithMeterProvider(nil)} {
		if _, err := m.With(o); err == nil || !strings.Contains(err.Error(), "proxy: With") {
			t.Errorf("%v does not name the option", err)
		}
	}
	other, err := m.With(proxy.WithSession(orm.WithoutExpireOnCommit()), nil)
	if err != nil || other.Engine() != eng {
		t.Fatal(err)
	}
	if err := other.Session().Add(&Shelf{}); !errors.Is(err, orm.ErrNoTransaction) {
		t.Errorf("the option of the first maker is lost: %v", err)
	}
}

func TestAScopeHasOneSession(t *testing.T) {
	t.Parallel()
	eng := shelves(t, "sqlite:"+t.TempDir()+"/scope.db")
	m, err := proxy.NewMaker(eng)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.FromContext(t.Context()); !errors.Is(err, proxy.ErrNoScope) {
		t.Error(err)
	}
	for name, enter := range map[string]func(context.Context) context.Context{"blocking": m.Scope, "awaited": m.AsyncScope} {
		ctx := enter(t.Context())
		if proxy.Used(ctx) != nil || proxy.Remove(enter(t.Context())) != nil {
			t.Error("a session was made that nobody asked for")
		}
		p, err := proxy.FromContext(ctx)
		if err != nil {
			t.Fatal(err)
		}
		inner, cancel := context.WithCancel(ctx)
		q, _ := proxy.FromContext(inner)
		other, _ := proxy.FromContext(enter(ctx))
		if p != q || p == other || proxy.Used(ctx) != p || p.IsAsync() != (name == "awaited") {
			t.Error("the session is not that of its scope")
		}
		cancel()
		if err := errors.Join(p.Add(&Shelf{Name: "lost"}), p.Flush(ctx).Await(ctx), proxy.Remove(inner), proxy.Remove(ctx)); err != nil {
			t.Error(name, err)
		}
		if _, err := proxy.FromContext(ctx); !errors.Is(err, proxy.ErrNoScope) {
			t.Error(err)
		}
	}
	if n := shelfCount(t, eng); n != 0 {
		t.Errorf("%d shelves: Remove has committed", n)
	}
}

// TestErrorsThatNobodyAwaits fails an operation and goes on without looking.
func TestErrorsThatNobodyAwaits(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			eng := shelves(t, url(t))
			a := proxy.NewAsyncSession(eng)
			ctx := t.Context()
			ok(t, a.Begin(ctx))
			insert := func() { a.Execute(ctx, engine.Text("INSERT INTO shelf (id, name) VALUES (1, 'x')")) }
			insert()
			insert() // a twin
			var violated *integrity.Error
			if err := a.Commit(ctx).Await(ctx); !errors.As(err, &violated) {
				t.Errorf("commit: %v", err)
			}
			ok(t, a.Rollback(ctx))
			if n := shelfCount(t, eng); n != 0 {
				t.Errorf("%d shelves", n)
			}
			insert()
			insert()
			if err := a.Close(ctx).Await(ctx); !errors.As(err, &violated) {
				t.Errorf("close: %v", err)
			}
			insert()
			insert()
			ok(t, a.Rollback(ctx)) // which undoes it
			ok(t, a.Commit(ctx))
			ok(t, a.Aclose(ctx)) // which is Close: the session may be used again
			if _, err := a.Execute(ctx, engine.Text("SELECT 1")).Await(ctx); err != nil {
				t.Errorf("after aclose: %v", err)
			}
			if err := a.With(ctx, func(context.Context, *proxy.AsyncSession) error { return nil }); err != nil {
				t.Error(err)
			}
			if _, err := a.Execute(ctx, engine.Text("SELECT 1")).Await(ctx); !errors.Is(err, proxy.ErrClosed) {
				t.Errorf("after With: %v", err)
			}
		})
	}
}

// TestObjectsMayBeChangedWhileAFlushIsUnderWay changes objects between an
// un-awaited flush and its Await: -race holds that nobody else touches them.
func TestObjectsMayBeChangedWhileAFlushIsUnderWay(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			eng := shelves(t, url(t))
			a := proxy.NewAsyncSession(eng, orm.WithoutExpireOnCommit())
			ctx := t.Context()
			s := &Shelf{Name: "first", Boxes: []*Box{{Label: "a"}}}
			if err := a.Add(s); err != nil {
				t.Fatal(err)
			}
			flushed := a.Flush(ctx)
			s.Name = "second"
			s.Boxes = append(s.Boxes, &Box{Label: "b"})
			read := proxy.Scalars[string](ctx, a, engine.Text("SELECT name FROM shelf")) // flushes again, after the first
			s.Name = "third"
			ok(t, flushed)
			if names := must(t, read); len(names) != 1 || names[0] != "second" {
				t.Errorf("%q", names)
			}
			ok(t, a.Commit(ctx))
			if s.Name != "third" || s.Boxes[1].ShelfID != s.ID || s.Boxes[1].Version != 1 {
				t.Errorf("%+v %+v", s, s.Boxes[1])
			}
			if n := shelfCount(t, eng); n != 1 {
				t.Errorf("%d shelves", n)
			}
			ok(t, a.Aclose(ctx))
		})
	}
}

func TestRunSyncHasTheSessionToItself(t *testing.T) {
	t.Parallel()
	eng := shelves(t, "sqlite:"+t.TempDir()+"/sync.db")
	a := proxy.NewAsyncSession(eng)
	ctx := t.Context()
	if err := a.Add(&Shelf{Name: "one"}); err != nil {
		t.Fatal(err)
	}
	f := proxy.RunSync(ctx, a, func(ctx context.Context, s *orm.Session) (int64, error) {
		if err := s.Add(&Shelf{Name: "two"}); err != nil {
			return 0, err
		}
		// A future that is awaited inside is performed inside.
		return proxy.Count(ctx, a, orm.From[Shelf]()).Await(ctx)
	})
	if n := must(t, f); n != 2 {
		t.Errorf("%d shelves", n)
	}
	boom := proxy.RunSync(ctx, a, func(context.Context, *orm.Session) (int, error) { panic("boom") })
	var panicked *proxy.PanicError
	if _, err := boom.Await(ctx); !errors.As(err, &panicked) || panicked.Value != "boom" {
		t.Error(err)
	}
	ok(t, a.Commit(ctx))
	ok(t, a.Aclose(ctx))
	if n := shelfCount(t, eng); n != 2 {
		t.Errorf("%d shelves", n)
	}
}
