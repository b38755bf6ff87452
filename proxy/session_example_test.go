package proxy_test

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// library opens a database in memory with a shelf in it.
func library(ctx context.Context) (*proxy.Maker, func()) {
	eng, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	if err := orm.CreateAll(ctx, eng, (*Shelf)(nil), (*Box)(nil)); err != nil {
		panic(err)
	}
	maker, err := proxy.NewMaker(eng)
	if err != nil {
		panic(err)
	}
	return maker, func() { _ = eng.Dispose() }
}

// relabel is written once for both kinds of session.
func relabel(ctx context.Context, p *proxy.Proxy, id int64, name string) error {
	shelf, err := proxy.GetOne[Shelf](ctx, p, id).Await(ctx)
	if err != nil {
		return err
	}
	shelf.Name = name // a plain assignment, sent by the commit
	return p.Commit(ctx).Await(ctx)
}

func ExampleProxy() {
	ctx := context.Background()
	maker, done := library(ctx)
	defer done()
	if err := maker.Begin(ctx, func(_ context.Context, s *proxy.Session) error {
		return s.Add(&Shelf{Name: "new"})
	}); err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range []*proxy.Proxy{proxy.New(maker.Session()), proxy.New(maker.Async())} {
		err := p.With(ctx, func(ctx context.Context, p *proxy.Proxy) error {
			if err := relabel(ctx, p, 1, fmt.Sprintf("awaited: %v", p.IsAsync())); err != nil {
				return err
			}
			shelf, err := proxy.Get[Shelf](ctx, p, 1).Await(ctx)
			if err == nil {
				fmt.Println(shelf.Name)
			}
			return err
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// awaited: false
	// awaited: true
}

func ExampleAsyncSession() {
	ctx := context.Background()
	maker, done := library(ctx)
	defer done()
	a := maker.Async()
	defer a.Aclose(ctx)
	for _, name := range []string{"a", "b", "c"} {
		a.Execute(ctx, engine.Text("INSERT INTO shelf (name) VALUES (?)", name)) // nobody waits
	}
	n := proxy.Count(ctx, a, orm.From[Shelf]())
	all := proxy.FindAll(ctx, a, orm.From[Shelf]().OrderBy("name DESC"))
	fmt.Println(n.Await(ctx)) // on PostgreSQL all have taken one round trip
	shelves, err := all.Await(ctx)
	fmt.Println(shelves[0].Name, err)
	fmt.Println(a.Commit(ctx).Await(ctx)) // would tell of an error that nobody has seen
	// Output:
	// 3 <nil>
	// c <nil>
	// <nil>
}

func ExampleMaker_Run() {
	ctx := context.Background()
	maker, done := library(ctx)
	defer done()
	shelf := &Shelf{Name: "oak", Boxes: []*Box{{Label: "left"}, {Label: "right"}}}
	err := maker.Run(ctx, func(_ context.Context, s *proxy.Session) error { // replayed as a whole, if a retry is in the chain
		return s.Add(shelf)
	})
	fmt.Println(shelf.ID, shelf.Boxes[1].ShelfID, err)
	// Output: 1 1 <nil>
}

func ExampleMaker_Scope() {
	maker, done := library(context.Background())
	defer done()
	ctx := maker.Scope(context.Background())
	defer proxy.Remove(ctx)
	add := func(ctx context.Context, name string) error {
		p, err := proxy.FromContext(ctx)
		if err != nil {
			return err
		}
		return p.Add(&Shelf{Name: name})
	}
	fmt.Println(add(ctx, "a"), add(ctx, "b"))
	p, err := proxy.FromContext(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := proxy.Count(ctx, p, orm.From[Shelf]()).Await(ctx)
	fmt.Println(n, err, p.Commit(ctx).Await(ctx))
	// Output:
	// <nil> <nil>
	// 2 <nil> <nil>
}

func ExampleRunSync() {
	ctx := context.Background()
	maker, done := library(ctx)
	defer done()
	a := maker.Async()
	defer a.Aclose(ctx)
	n := proxy.RunSync(ctx, a, func(ctx context.Context, s *orm.Session) (int64, error) {
		if err := s.AddAll(&Shelf{Name: "a"}, &Shelf{Name: "b"}); err != nil {
			return 0, err
		}
		return orm.From[Shelf]().Count(ctx, s)
	})
	fmt.Println(n.Await(ctx))
	// Output: 2 <nil>
}
