package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// Shelf holds boxes.
type Shelf struct {
	ID    int64
	Name  string
	Boxes []*Box `orm:"rel:has-many,cascade:all+orphan"`
}

// Box is on a shelf.
type Box struct {
	ID      int64
	ShelfID int64
	Label   string
	Version int    `orm:",version"`
	Shelf   *Shelf `orm:"rel:belongs-to"`
}

// diary is an interceptor that writes down what it sees.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		line := call.Level.String() + " " + call.Op.String()
		if call.Text != "" {
			line += ": " + strings.Join(strings.Fields(call.Text), " ")
		}
		d.mu.Lock()
		d.lines = append(d.lines, line)
		d.mu.Unlock()
		return next(ctx, call)
	}
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.lines
	d.lines = nil
	return out
}

// sessionKinds make sessions of each kind.
var sessionKinds = map[string]func(eng *engine.Engine, opts ...orm.Option) proxy.Handle{
	"blocking": func(eng *engine.Engine, opts ...orm.Option) proxy.Handle { return proxy.NewSession(eng, opts...) },
	"awaited": func(eng *engine.Engine, opts ...orm.Option) proxy.Handle {
		a := proxy.NewAsyncSession(eng, opts...)
		return a
	},
}

// shelves opens an engine with the tables of shelves and boxes, and no rows.
func shelves(t *testing.T, url string, chain ...sp.Interceptor) *engine.Engine {
	t.Helper()
	eng, err := engine.Open(t.Context(), url, engine.WithChain(sp.NewChain(chain...)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Dispose(); err != nil {
			t.Error(err)
		}
	})
	if err := orm.DropAll(t.Context(), eng, (*Shelf)(nil), (*Box)(nil)); err != nil {
		t.Fatal(err)
	}
	if err := orm.CreateAll(t.Context(), eng, (*Shelf)(nil), (*Box)(nil)); err != nil {
		t.Fatal(err)
	}
	return eng
}

// onEachKind runs a test on each database with each kind of session.
func onEachKind(t *testing.T, test func(t *testing.T, eng *engine.Engine, p *proxy.Proxy)) {
	t.Helper()
	t.Parallel()
	for db, url := range databases {
		for kind, session := range sessionKinds {
			t.Run(db+"/"+kind, func(t *testing.T) {
				t.Parallel()
				eng := shelves(t, url(t))
				p := proxy.New(session(eng, orm.WithoutExpireOnCommit()))
				t.Cleanup(func() {
					if err := p.Close(context.Background()).Await(context.Background()); err != nil {
						t.Error(err)
					}
				})
				test(t, eng, p)
			})
		}
	}
}

// matrix calls every method of a session, in one story. It notes what each
// returns, as far as that can be compared.
func matrix(ctx context.Context, p *proxy.Proxy, note func(name string, v any, err error)) {
	done := func(name string, c proxy.Completion) { note(name, nil, c.Await(ctx)) }
	top := &Shelf{Name: "top", Boxes: []*Box{{Label: "a"}, {Label: "b"}}}
	low := &Shelf{Name: "low"}
	note("add", nil, p.Add(top))
	note("add all", nil, p.AddAll(low, &Shelf{Name: "mid"}))
	note("new", len(slices.Collect(p.New())), nil)
	note("in transaction", p.InTransaction(), nil)
	done("flush", p.Flush(ctx))
	done("commit", p.Commit(ctx))
	note("transaction", p.Transaction() == nil, nil)
	done("begin", p.Begin(ctx))
	note("transaction", p.Transaction().IsActive(), nil)
	done("begin twice", p.Begin(ctx))

	got, err := proxy.Get[Shelf](ctx, p, top.ID).Await(ctx)
	note("get, hit", got == top, err)
	note("expire", nil, p.Expire(top))
	note("is expired", p.IsExpired(top), nil)
	got, err = proxy.Get[Shelf](ctx, p, top.ID).Await(ctx)
	note("get, expired", got == top, err)
	got, err = proxy.Get[Shelf](ctx, p, 999).Await(ctx)
	note("get, none", got == nil, err)
	_, err = proxy.GetOne[Shelf](ctx, p, 999).Await(ctx)
	note("get one, none", nil, err)

	top.Name = "peak"
	note("is modified", p.IsModified(top), nil)
	note("dirty", len(slices.Collect(p.Dirty())), nil)
	names, err := proxy.Scalars[string](ctx, p, engine.Text("SELECT name FROM shelf ORDER BY name")).Await(ctx)
	note("scalars", names, err)
	name, err := proxy.Scalar[string](ctx, p, engine.Text("SELECT name FROM shelf WHERE name = 'none'")).Await(ctx)
	note("scalar", name, err)
	res, err := p.Execute(ctx, engine.Text("UPDATE box SET label = ? WHERE label = ?", "z", "b")).Await(ctx)
	if err == nil {
		note("execute", res.RowsAffected(), nil)
	} else {
		note("execute", nil, err)
	}
	done("refresh", p.Refresh(ctx, top.Boxes[1]))
	note("refreshed", top.Boxes[1].Label, nil)
	all, err := proxy.FindAll(ctx, p, orm.From[Shelf]().OrderBy("name").With("Boxes")).Await(ctx)
	note("find all", len(all), err)
	n, err := proxy.Count(ctx, p, orm.From[Box]().Join("Shelf").Where("shelf.name = ?", "peak")).Await(ctx)
	note("count", n, err)
	found, err := proxy.Exists(ctx, p, orm.From[Box]().Where("label = ?", "q")).Await(ctx)
	note("exists", found, err)

	nested, err := p.BeginNested(ctx).Await(ctx)
	note("begin nested", p.InNestedTransaction() && p.NestedTransaction().IsActive(), err)
	low.Name = "deep"
	done("nested commit", nested.Commit(ctx))
	nested, err = p.BeginNested(ctx).Await(ctx)
	note("begin nested", nil, err)
	note("add", nil, p.Add(&Shelf{Name: "lost"}))
	done("nested rollback", nested.Rollback(ctx))
	note("nested is active", nested.IsActive(), nil)

	merged, err := proxy.Merge(ctx, p, &Shelf{ID: low.ID, Name: "low"}).Await(ctx)
	note("merge", merged == low, err)
	done("delete", p.Delete(ctx, top))
	note("deleted", len(slices.Collect(p.Deleted())), nil)
	done("delete, transient", p.Delete(ctx, &Shelf{}))
	note("no autoflush", nil, p.NoAutoflush(func() error {
		_, err := proxy.Scalar[int](ctx, p, engine.Text("SELECT count(*) FROM shelf")).Await(ctx)
		return err
	}))
	done("commit", p.Commit(ctx))
	note("contains", p.Contains(top), nil)

	low.Name = "gone"
	done("flush", p.Flush(ctx))
	done("rollback", p.Rollback(ctx))
	note("expunge", nil, p.Expunge(low))
	note("attach", nil, p.Attach(low))
	conn, err := p.Connection(ctx).Await(ctx)
	note("connection", conn != nil, err)
	p.ExpireAll()
	p.ExpungeAll()
	note("add", nil, p.Add(&Box{ShelfID: -1}))
	if p.Bind().Dialect().System != sp.SQLite {
		err = p.Flush(ctx).Await(ctx)
		note("flush, refused", p.IsActive(), err)
		note("pending rollback", errors.Is(p.Commit(ctx).Await(ctx), orm.ErrPendingRollback), nil)
	}
	done("reset", p.Reset(ctx))
	done("invalidate", p.Invalidate(ctx))
	done("close", p.Close(ctx))
}

// TestBothKindsDoTheSame calls every method on a blocking and on an awaited
// session: what they return, and what the chain sees, is the same.
func TestBothKindsDoTheSame(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			at := url(t)
			stories := map[string][]string{}
			for kind, session := range sessionKinds {
				d := &diary{}
				eng := shelves(t, at, d)
				d.take()
				var story []string
				matrix(t.Context(), proxy.New(session(eng, orm.WithoutExpireOnCommit())), func(name string, v any, err error) {
					story = append(story, fmt.Sprintf("%s: %v, %v", name, v, err))
					story = append(story, d.take()...)
				})
				stories[kind] = story
			}
			if !reflect.DeepEqual(stories["blocking"], stories["awaited"]) {
				for i := range min(len(stories["blocking"]), len(stories["awaited"])) {
					if a, b := stories["blocking"][i], stories["awaited"][i]; a != b {
						t.Fatalf("line %d of %d and %d:\nblocking: %s\nawaited:  %s\nbefore: %q", i, len(stories["blocking"]), len(stories["awaited"]), a, b, stories["blocking"][max(0, i-5):i])
					}
				}
				t.Fatal("one is longer")
			}
			if len(stories["blocking"]) < 120 {
				t.Errorf("only %d lines: %q", len(stories["blocking"]), stories["blocking"])
			}
		})
	}
}

// TestWhatOneKindLacks calls the methods that one kind of session has not.
func TestWhatOneKindLacks(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		one := engine.Text("SELECT 1")
		_, queryErr := proxy.Query[Shelf](p)
		rows, streamErr := p.Stream(ctx, one).Await(ctx)
		rows.Close(ctx)
		values, scalarsErr := p.StreamScalars(ctx, one).Await(ctx)
		values.Close(ctx)
		_, syncErr := proxy.RunSync(ctx, p, func(context.Context, *orm.Session) (int, error) { return 1, nil }).Await(ctx)
		for method, err := range map[string]error{
			"query": queryErr, "stream": streamErr, "stream scalars": scalarsErr, "run sync": syncErr, "aclose": p.Aclose(ctx).Await(ctx),
		} {
			if lacks := p.IsAsync() == (method == "query"); lacks != errors.Is(err, errors.ErrUnsupported) || !lacks && err != nil {
				t.Errorf("%s: %v", method, err)
			}
		}
	})
}

func TestProxiesOfOneSessionAreEqual(t *testing.T) {
	t.Parallel()
	eng := shelves(t, "sqlite::memory:")
	s := proxy.NewSession(eng)
	a := proxy.NewAsyncSession(eng)
	p, q := proxy.New(s), proxy.New(a)
	if !p.Equal(proxy.New(s)) || !p.Equal(s) || p.Equal(q) || !q.Equal(a) || q.Equal(nil) || p.IsAsync() || !q.IsAsync() ||
		p.Session() != proxy.Handle(s) || q.Session() != proxy.Handle(a) || !proxy.New(q).Equal(q) {
		t.Error("proxies are not compared by their sessions")
	}
}
