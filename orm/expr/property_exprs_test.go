package expr_test

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/rows"
)

// computed is about the value of an expression.
func (g rules) computed(t *rapid.T) rule {
	v, w := rapid.IntRange(1, 3).Draw(t, "number"), rapid.IntRange(-2, 6).Draw(t, "bound")
	text := rapid.SampledFrom(words).Draw(t, "text")
	age, by := expr.Of(&g.row.Age), expr.Val(v)
	number := func(e expr.Expr[int], of func(age int) int) rule {
		return rule{e.Gt(w), func(p *Person) truth { return truthOf(of(p.Age) > w) }}
	}
	nick := func(p *Person) string {
		if p.Nick == nil {
			return text
		}
		return *p.Nick
	}
	return rapid.SampledFrom([]rule{
		number(expr.Add(age, by), func(age int) int { return age + v }),
		number(expr.Sub(by, age), func(age int) int { return v - age }),
		number(expr.Mul(expr.Sub(age, by), age), func(age int) int { return (age - v) * age }),
		number(expr.Div(expr.Sub(age, expr.Val(2)), by), func(age int) int { return (age - 2) / v }),
		number(expr.Mod(expr.Sub(age, expr.Val(2)), by), func(age int) int { return (age - 2) % v }),
		number(expr.SQL[int]("abs(? - ?)", &g.row.Age, expr.Cast[int](by, "decimal(10)")), func(age int) int { return max(age-v, v-age) }),
		{expr.Lower(&g.row.Name).Eq(text), func(p *Person) truth { return truthOf(strings.ToLower(p.Name) == text) }},
		{expr.Coalesce(expr.Opt(&g.row.Nick), text).Le("a"), func(p *Person) truth { return truthOf(nick(p) <= "a") }},
		{expr.Concat(expr.Of(&g.row.Name), expr.Val("a")).Eq(text), func(p *Person) truth { return truthOf(p.Name+"a" == text) }},
		{expr.Is(expr.Of(&g.row.Active)), func(p *Person) truth { return truthOf(p.Active) }},
		{expr.EqField(&g.row.Name, &g.row.Name), func(*Person) truth { return yes }},
	}).Draw(t, "expression")
}

// inside is about a query inside the query.
func (g rules) inside(t *rapid.T) rule {
	other, word := new(Person), rapid.SampledFrom(words).Draw(t, "text")
	others := orm.From[Person]().As("other", other).Where(expr.Ge(&other.Name, word))
	one := func(holds func(o *Person) bool) bool {
		return slices.ContainsFunc(g.people, func(o *Person) bool { return o.Name >= word && holds(o) })
	}
	return rapid.SampledFrom([]rule{
		{expr.Exists(others.Where(expr.Of(&other.Age).GtExpr(expr.Of(&g.row.Age)))), func(p *Person) truth {
			return truthOf(one(func(o *Person) bool { return o.Age > p.Age }))
		}},
		{expr.InQuery(&g.row.Age, rows.Select1(others, expr.Of(&other.Age))), func(p *Person) truth {
			return truthOf(one(func(o *Person) bool { return o.Age == p.Age }))
		}},
		{expr.NotInQuery(&g.row.Name, rows.Select1(others, expr.Of(&other.Name))), func(p *Person) truth {
			return truthOf(!one(func(o *Person) bool { return o.Name == p.Name }))
		}},
		{expr.Scalar(rows.Select1(others, expr.Count())).Gt(3), func(*Person) truth {
			n := 0
			one(func(*Person) bool { n++; return false })
			return truthOf(n > 3)
		}},
	}).Draw(t, "inner query")
}
