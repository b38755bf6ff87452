package main

import (
	"context"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/rows"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// selects is
//
//	stmt = select(User).where(User.name.like("%Alice%"), User.age > 18)
//	users = (await session.scalars(stmt.order_by(User.id.desc()))).all()
//
//	stmt = select(User.name, func.count(Address.id)).outerjoin(User.addresses).group_by(User.name)
//	for name, count in await session.execute(stmt): ...
func (e *examples) selects(ctx context.Context) error {
	s := e.maker.Session()
	defer s.Close(ctx)

	q := orm.From[User]()
	u, a := q.Row(), orm.From[Address]().Row()
	users, err := q.Where(expr.Like(&u.Name, "%Alice%"), expr.Gt(&u.Age, 18)).OrderBy(expr.Desc(&u.ID)).All(ctx, s)
	if err != nil {
		return err
	}
	for _, user := range users {
		e.printf("   %s, %d\n", user.Name, user.Age)
	}
	counts, err := rows.Select2(q.LeftJoin(&u.Addresses), expr.Of(&u.Name), expr.Of(&a.ID).Count()).
		GroupBy(&u.Name).OrderBy(&u.Name).All(ctx, s)
	for _, row := range counts {
		e.printf("   %s has %d addresses\n", row.A, row.B)
	}
	return err
}

// streams is
//
//	stream = await session.stream(select(User).order_by(User.id))
//	async for user in stream.scalars():
//	    user.age += 1
//	await session.commit()
func (e *examples) streams(ctx context.Context) error {
	return e.maker.Async().With(ctx, func(ctx context.Context, a *proxy.AsyncSession) error {
		q := orm.From[User]()
		stream, err := proxy.StreamOf[*User](ctx, a, q.OrderBy(&q.Row().ID)).Await(ctx)
		if err != nil {
			return err
		}
		defer stream.Close(ctx)
		for user, err := range stream.Iter(ctx) {
			if err != nil {
				return err
			}
			user.Age++ // the session's object: Commit sends it
			e.printf("   %s is %d\n", user.Name, user.Age)
		}
		return a.Commit(ctx).Await(ctx)
	})
}
