package main

import (
	"context"
	"errors"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/rows"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// blocking is
//
//	with Session(engine) as session:
//	    session.add(User(name="Alice Smith", age=30, addresses=[Address(city="Paris")]))
//	    session.commit()
//	    count = session.execute(text("SELECT count(*) FROM address")).scalar_one()
func (e *examples) blocking(ctx context.Context) error {
	s := e.maker.Session()
	return s.With(ctx, func(ctx context.Context, s *proxy.Session) error {
		if err := s.Add(&User{Name: "Alice Smith", Age: 30, Addresses: []*Address{{City: "Paris"}, {City: "Oslo"}}}); err != nil {
			return err
		}
		if err := s.Commit(ctx); err != nil {
			return err
		}
		count, _, err := orm.Scalar[int](ctx, s, engine.Text("SELECT count(*) FROM address"))
		e.printf("   %d addresses\n", count)
		return err
	})
}

// awaited is
//
//	async with AsyncSession(engine) as session:
//	    session.add(User(name="Bob", age=17))
//	    await session.commit()
//	    names = await session.scalars(select(User.name).order_by(User.id))
func (e *examples) awaited(ctx context.Context) error {
	u := orm.From[User]().Row()
	return e.maker.Async().With(ctx, func(ctx context.Context, a *proxy.AsyncSession) error {
		if err := a.AddAll(&User{Name: "Bob", Age: 17}, &User{Name: "Alice Jones", Age: 12}); err != nil {
			return err // Add is awaited nowhere: it sends nothing
		}
		committed := a.Commit(ctx) // under way
		names := proxy.FindRows(ctx, a, rows.Select1(orm.From[User](), expr.Of(&u.Name)).OrderBy(&u.ID))
		if err := committed.Await(ctx); err != nil {
			return err
		}
		all, err := names.Await(ctx)
		e.printf("   %q\n", all)
		return err
	})
}

// both is a function that awaits, whatever the session, as with the Python proxy:
//
//	async def rename(proxy, id, name):
//	    user = await proxy.get(User, id)
//	    user.name = name
//	    await proxy.flush()
//	    return await proxy.scalar(select(func.count()).select_from(User))
func (e *examples) both(ctx context.Context) error {
	rename := func(ctx context.Context, p *proxy.Proxy) error {
		user, err := proxy.GetOne[User](ctx, p, 2).Await(ctx)
		if err != nil {
			return err
		}
		user.Name += "by"
		if err := p.Flush(ctx).Await(ctx); err != nil {
			return err
		}
		n, err := proxy.Count(ctx, p, orm.From[User]()).Await(ctx)
		e.printf("   async: %t, %s, one of %d\n", p.IsAsync(), user.Name, n)
		return err
	}
	for _, p := range []*proxy.Proxy{proxy.New(e.maker.Session()), proxy.New(e.maker.Async())} {
		if err := p.With(ctx, rename); err != nil { // closed without a commit: rolled back
			return err
		}
	}
	return nil
}

// runSync is
//
//	def legacy_fn(session, value):
//	    session.add(User(name=value))
//	    session.flush()
//	    return "ok"
//
//	result = await proxy.run_sync(legacy_fn, "test")
func (e *examples) runSync(ctx context.Context) error {
	return e.maker.Async().With(ctx, func(ctx context.Context, a *proxy.AsyncSession) error {
		user, err := proxy.RunSync(ctx, a, func(ctx context.Context, s *orm.Session) (*User, error) {
			user := &User{Name: "test"}
			if err := s.Add(user); err != nil {
				return nil, err
			}
			return user, s.Flush(ctx)
		}).Await(ctx)
		if err == nil {
			e.printf("   %s has the key %d\n", user.Name, user.ID)
		}
		return err
	})
}

// query is
//
//	session.query(User).filter(User.age > 18).order_by(User.name).first()
//
// which an async session refuses, there as here.
func (e *examples) query(ctx context.Context) error {
	s := e.maker.Session()
	defer s.Close(ctx)
	q, err := proxy.Query[User](s)
	if err != nil {
		return err
	}
	first, err := q.Filter("age > ?", 18).OrderBy("name").First(ctx)
	if err != nil {
		return err
	}
	_, refused := proxy.Query[User](e.maker.Async())
	e.printf("   %s; an async session refuses: %t\n", first.Name, errors.Is(refused, errors.ErrUnsupported))
	return nil
}
