package proxy_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/rows"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// TestTypedQueries is that queries by typed conditions, and of rows, are the same on
// both kinds of session.
func TestTypedQueries(t *testing.T) {
	onEachKind(t, func(t *testing.T, _ *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		one := kept(t, p, "one")
		kept(t, p, "two")
		q := orm.From[Shelf]()
		s, b := q.Row(), orm.From[Box]().Row()
		like := q.Where(expr.HasPrefix(&s.Name, "o"), expr.Gt(&s.ID, 0)).OrderBy(expr.Desc(&s.ID))
		if got := must(t, proxy.FindAll(ctx, p, like)); len(got) != 1 || got[0] != one {
			t.Errorf("%v", got)
		}
		if got := must(t, proxy.FindOne(ctx, p, like.With("Boxes"))); got != one || len(got.Boxes) != 2 {
			t.Errorf("%v", got)
		}
		if n := must(t, proxy.Count(ctx, p, q.Where(expr.Not(expr.Eq(&s.Name, "one"))))); n != 1 {
			t.Errorf("%d shelves", n)
		}
		for got, err := range proxy.Each(ctx, p, like) {
			if err != nil || got != one {
				t.Error(got, err)
			}
		}
		one.Name = "changed" // and flushed by the query
		pairs := rows.Select2(q.Join(&s.Boxes), expr.Object(s), expr.Of(&b.Label)).Where(expr.Eq(&s.Name, "changed")).OrderBy(&b.Label)
		first, second := proxy.FindRows(ctx, p, pairs), proxy.FindRows(ctx, p, pairs.Limit(1))
		if got := must(t, first); len(got) != 2 || got[0].A != one || got[0].B != "a" || got[1].B != "b" {
			t.Errorf("%+v", got)
		}
		if got := must(t, second); len(got) != 1 {
			t.Errorf("%+v", got)
		}
		if _, err := proxy.FindRows(ctx, p, rows.Select1(orm.From[Box](), expr.Of(&s.Name))).Await(ctx); err == nil {
			t.Error("a column of another table was read")
		}
		ok(t, p.Rollback(ctx))
	})
}
