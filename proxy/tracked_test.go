package proxy_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// onAwaited runs a test on each database with an awaited session, and n shelves
// whose names are numbers.
func onAwaited(t *testing.T, n int, test func(t *testing.T, a *proxy.AsyncSession)) {
	t.Helper()
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			a := proxy.NewAsyncSession(shelves(t, url(t)), orm.WithoutExpireOnCommit())
			defer a.Close(t.Context())
			for i := range n {
				if err := a.Add(&Shelf{Name: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
			ok(t, a.Commit(t.Context()))
			a.ExpungeAll()
			test(t, a)
		})
	}
}

var byID = orm.From[Shelf]().OrderBy("id")

// Objects of a stream are the session's: one for each row, and what is changed in
// them is sent.
func TestAStreamsObjectsAreTheSessions(t *testing.T) {
	reads := map[string]func(t *testing.T, rows proxy.Stream[*Shelf]) []*Shelf{
		"all": func(t *testing.T, rows proxy.Stream[*Shelf]) []*Shelf { return must(t, rows.All(t.Context())) },
		"one by one": func(t *testing.T, rows proxy.Stream[*Shelf]) (out []*Shelf) {
			for o := must(t, rows.FetchOne(t.Context())); o.OK; o = must(t, rows.FetchOne(t.Context())) {
				out = append(out, o.Value)
			}
			return out
		},
		"many": func(t *testing.T, rows proxy.Stream[*Shelf]) []*Shelf {
			first := rows.FetchMany(t.Context(), 3) // both under way
			rest := rows.FetchMany(t.Context(), 100)
			return append(must(t, first), must(t, rest)...)
		},
		"a loop, left and entered again": func(t *testing.T, rows proxy.Stream[*Shelf]) (out []*Shelf) {
			for s, err := range rows.Iter(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if out = append(out, s); len(out) == 2 {
					break
				}
			}
			out = append(out, must(t, rows.FetchOne(t.Context())).Value)
			for s, err := range rows.Iter(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, s)
			}
			return out
		},
		"partitions": func(t *testing.T, rows proxy.Stream[*Shelf]) (out []*Shelf) {
			for few, err := range rows.Partitions(t.Context(), 0) {
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, few...)
			}
			return out
		},
	}
	onAwaited(t, 10, func(t *testing.T, a *proxy.AsyncSession) {
		ctx := t.Context()
		known := must(t, proxy.FindFirst(ctx, a, byID))
		known.Name = "changed before"
		opens := map[string]func() proxy.Future[proxy.Stream[*Shelf]]{
			"StreamOf": func() proxy.Future[proxy.Stream[*Shelf]] {
				return proxy.StreamOf[*Shelf](ctx, a, byID, engine.WithWindow(4))
			},
			"StreamAs": func() proxy.Future[proxy.Stream[*Shelf]] {
				return proxy.Settled(proxy.StreamAs[*Shelf](must(t, a.Stream(ctx, engine.Text("SELECT name, id FROM shelf ORDER BY id")))), nil)
			},
		}
		for open, from := range opens {
			for read, all := range reads {
				objs := all(t, must(t, from()))
				if len(objs) != 10 || objs[0] != known || known.Name != "changed before" {
					t.Fatalf("%s, %s: %d objects, the first is the one that is there: %t", open, read, len(objs), objs[0] == known)
				}
				for i, s := range objs {
					if !a.Contains(s) || must(t, proxy.Get[Shelf](ctx, a, s.ID)) != s {
						t.Fatalf("%s, %s: object %d is not the session's", open, read, i)
					}
					s.Name = fmt.Sprint(open, read, i)
				}
				known.Name = "changed before"
				ok(t, a.Commit(ctx))
				if n := must(t, proxy.Count(ctx, a, orm.From[Shelf]().Where("name LIKE ?", open+read+"%"))); n != 9 {
					t.Errorf("%s, %s: %d shelves were changed, want 9", open, read, n)
				}
			}
		}
	})
}

// Each awaits on an awaited session, and does not on a blocking one.
func TestEachOnBothKinds(t *testing.T) {
	onEachKind(t, func(t *testing.T, _ *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		one, two := kept(t, p, "one"), kept(t, p, "two")
		p.ExpungeAll()
		for _, q := range []orm.Select[Shelf]{byID, byID.With("Boxes"), byID.NoTrack()} {
			var got []*Shelf
			for s, err := range proxy.Each(ctx, p, q) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, s)
			}
			if len(got) != 2 || got[0].ID != one.ID || got[1].ID != two.ID || q.Relations() && len(got[0].Boxes) != 2 {
				t.Errorf("%+v", got)
			}
			if p.Contains(got[0]) != !sameQuery(q, byID.NoTrack()) {
				t.Error("tracked: ", p.Contains(got[0]))
			}
			for range proxy.Each(ctx, p, q) {
				break // the session goes on
			}
			must(t, proxy.Count(ctx, p, byID))
		}
		for _, err := range proxy.Each(ctx, p, byID.Where("nothing = 1")) {
			if err == nil {
				t.Error("an object of a column that is not there")
			}
		}
		ok(t, p.Rollback(ctx))
	})
}

func sameQuery(a, b orm.Select[Shelf]) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// What a stream can't be is said when it is asked for.
func TestWhatCanNotBeStreamed(t *testing.T) {
	onAwaited(t, 1, func(t *testing.T, a *proxy.AsyncSession) {
		ctx := t.Context()
		if _, err := proxy.StreamOf[*Shelf](ctx, a, byID.With("Boxes")).Await(ctx); err == nil {
			t.Error("relations were streamed")
		}
		rows := must(t, proxy.StreamOf[*Shelf](ctx, a, engine.Text("SELECT name FROM shelf")))
		if _, err := rows.All(ctx).Await(ctx); err == nil {
			t.Error("objects without a key")
		}
		ok(t, a.Rollback(ctx))
		late := must(t, proxy.StreamOf[*Shelf](ctx, a, byID))
		read := late.FetchOne(ctx)
		<-read.Done()
		ok(t, a.Rollback(ctx))
		got := must(t, read).Value
		if !a.IsExpired(got) {
			t.Error("what was read in a transaction that is over is taken for what is there")
		}
		loose := must(t, proxy.StreamOf[*Shelf](ctx, a, byID.NoTrack()))
		if obj := must(t, loose.First(ctx)).Value; obj == got || a.Contains(obj) {
			t.Error("an object that is not to be tracked is the session's")
		}
		_ = a.Rollback(ctx).Await(ctx)
	})
}

func TestScalarsOfAStream(t *testing.T) {
	onAwaited(t, 2, func(t *testing.T, a *proxy.AsyncSession) {
		ctx := t.Context()
		open := func(text string) proxy.AsyncResult { return must(t, a.Stream(ctx, engine.Text(text))) }
		if v := must(t, open("SELECT name, 7 FROM shelf ORDER BY id").Scalars(1).All(ctx)); fmt.Sprint(v) != "[7 7]" {
			t.Errorf("%v", v)
		}
		if v := must(t, open("SELECT 7").Scalar(ctx)); fmt.Sprint(v) != "7" {
			t.Errorf("%v", v)
		}
		if v := must(t, open("SELECT 7").ScalarOne(ctx)); fmt.Sprint(v) != "7" {
			t.Errorf("%v", v)
		}
		for _, read := range []func(proxy.AsyncResult) proxy.Future[any]{
			func(r proxy.AsyncResult) proxy.Future[any] { return r.Scalar(ctx) },
			func(r proxy.AsyncResult) proxy.Future[any] { return r.ScalarOneOrNone(ctx) },
		} {
			if v := must(t, read(open("SELECT id FROM shelf WHERE id < 0"))); v != nil {
				t.Errorf("%v of no row", v)
			}
		}
		if _, err := open("SELECT id FROM shelf").ScalarOne(ctx).Await(ctx); !errors.Is(err, engine.ErrMultipleResults) {
			t.Errorf("%v", err)
		}
		if v := must(t, a.Execute(ctx, engine.Text("SELECT name, 7 FROM shelf"))); fmt.Sprint(v.Scalars(1).All()) != "[7 7] <nil>" {
			t.Error("the second column of a result")
		}
		ok(t, a.Rollback(ctx))
	})
}
