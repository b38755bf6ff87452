package expr_test

import (
	"cmp"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/internal/ormtest"
)

// truth is true, false or NULL.
type truth int

const (
	no truth = iota - 1
	null
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// rule is a condition, and what it says in Go.
type rule struct {
	cond  expr.Cond
	holds func(p *Person) truth
}

// TestRandomConditionsFindWhatAFilterFinds compares the rows that random
// conditions find with those that the same conditions, written in Go, find.
func TestRandomConditionsFindWhatAFilterFinds(t *testing.T) {
	onEach(t, func(t *testing.T, eng *engine.Engine) {
		s := ormtest.Session(t, eng)
		people := crowd()
		objs := make([]any, len(people))
		for i, p := range people {
			objs[i] = p
		}
		ormtest.Check(t, s.AddAll(objs...), s.Commit(t.Context()))
		q := orm.From[Person]()
		// SQLite's LIKE takes ASCII letters of either case as equal.
		g := rules{row: q.Row(), people: people, folds: eng.Dialect().System == sp.SQLite}
		rapid.Check(t, func(t *rapid.T) {
			r := g.rule(t, 3)
			var want []string
			for _, p := range people {
				if r.holds(p) == yes {
					want = append(want, p.Name)
				}
			}
			found, err := q.Where(r.cond).OrderBy(&g.row.ID).NoTrack().All(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range found {
				got = append(got, p.Name)
			}
			if !slices.Equal(got, want) {
				text, args, _ := q.Where(r.cond).Render(eng.Dialect())
				t.Fatalf("%s %q\n got %q\nwant %q", text, args, got, want)
			}
		})
	})
}

// words are names and nicks: what patterns make much of is among them.
var words = []string{"", "a", "b", "ab", "A", "aB", "50%", "5_0", "a/b", `a\b`, "é", "a ", "'", "ba"}

// crowd are people of all sorts.
func crowd() (out []*Person) {
	for i, w := range words {
		p := &Person{Name: w, Age: i % 5, Active: i%2 == 0, Tags: []string{w}}
		if i%3 > 0 {
			p.Nick = &words[(i*5)%len(words)]
		}
		if i%4 > 0 {
			p.Score = sql.Null[float64]{V: float64(i%3) - 0.5, Valid: true}
		}
		out = append(out, p)
	}
	return out
}

// rules makes random rules.
type rules struct {
	row    *Person
	people []*Person
	folds  bool
}

func (g rules) rule(t *rapid.T, depth int) rule {
	kinds := 8
	if depth > 0 {
		kinds = 12
	}
	word := rapid.SampledFrom(words)
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return compared(t, &g.row.Age, func(p *Person) int { return p.Age }, rapid.IntRange(-1, 5))
	case 1:
		return compared(t, &g.row.Name, func(p *Person) string { return p.Name }, word)
	case 2:
		return optional(t, expr.Opt(&g.row.Nick), func(p *Person) *string { return p.Nick }, word)
	case 3:
		return optional(t, expr.OptNull(&g.row.Score), func(p *Person) *float64 {
			if !p.Score.Valid {
				return nil
			}
			return &p.Score.V
		}, rapid.SampledFrom([]float64{-0.5, 0, 0.5, 1.5}))
	case 4:
		return g.nullable(t)
	case 5:
		return g.like(t)
	case 6:
		return g.computed(t)
	case 7:
		return g.inside(t)
	case 8:
		r := g.rule(t, depth-1)
		v, w := rapid.IntRange(0, 1).Draw(t, "otherwise"), rapid.IntRange(0, 1).Draw(t, "then")
		return rule{expr.Case(v, expr.When(r.cond, w)).Eq(1), func(p *Person) truth {
			if r.holds(p) == yes {
				return truthOf(w == 1)
			}
			return truthOf(v == 1)
		}}
	case 9:
		r := g.rule(t, depth-1)
		return rule{expr.Not(r.cond), func(p *Person) truth { return -r.holds(p) }}
	case 10:
		conds, of := g.several(t, depth)
		return rule{expr.And(conds...), func(p *Person) truth { // the least of them
			return reduce(of, p, yes, func(a, b truth) truth { return min(a, b) })
		}}
	default:
		conds, of := g.several(t, depth)
		return rule{expr.Or(conds...), func(p *Person) truth {
			return reduce(of, p, no, func(a, b truth) truth { return max(a, b) })
		}}
	}
}

func (g rules) several(t *rapid.T, depth int) (conds []expr.Cond, of []rule) {
	for range rapid.IntRange(0, 3).Draw(t, "conditions") {
		r := g.rule(t, depth-1)
		conds, of = append(conds, r.cond), append(of, r)
	}
	return conds, of
}

func reduce(of []rule, p *Person, start truth, with func(a, b truth) truth) truth {
	for _, r := range of {
		start = with(start, r.holds(p))
	}
	return start
}

// compared is a comparison of a field that is never NULL.
func compared[T cmp.Ordered](t *rapid.T, field *T, get func(p *Person) T, values *rapid.Generator[T]) rule {
	v, hi := values.Draw(t, "value"), values.Draw(t, "other value")
	list := rapid.SliceOfN(values, 0, 3).Draw(t, "values")
	is := func(c expr.Cond, holds func(v T) bool) rule {
		return rule{c, func(p *Person) truth { return truthOf(holds(get(p))) }}
	}
	return rapid.SampledFrom([]rule{
		is(expr.Eq(field, v), func(x T) bool { return x == v }),
		is(expr.Ne(field, v), func(x T) bool { return x != v }),
		is(expr.Gt(field, v), func(x T) bool { return x > v }),
		is(expr.Ge(field, v), func(x T) bool { return x >= v }),
		is(expr.Lt(field, v), func(x T) bool { return x < v }),
		is(expr.Le(field, v), func(x T) bool { return x <= v }),
		is(expr.Between(field, v, hi), func(x T) bool { return v <= x && x <= hi }),
		is(expr.In(field, list...), func(x T) bool { return slices.Contains(list, x) }),
		is(expr.NotIn(field, list...), func(x T) bool { return !slices.Contains(list, x) }),
		is(expr.IsNull(field), func(T) bool { return false }),
		is(expr.EqField(field, field), func(T) bool { return true }),
		is(expr.Of(field).LtExpr(expr.Of(field)), func(T) bool { return false }),
	}).Draw(t, "comparison")
}

// optional is a comparison of a field that may be NULL with plain values.
func optional[T cmp.Ordered](t *rapid.T, e expr.Expr[T], get func(p *Person) *T, values *rapid.Generator[T]) rule {
	v, hi := values.Draw(t, "value"), values.Draw(t, "other value")
	list := rapid.SliceOfN(values, 1, 3).Draw(t, "values")
	is := func(c expr.Cond, holds func(v T) bool) rule {
		return rule{c, func(p *Person) truth {
			if x := get(p); x != nil {
				return truthOf(holds(*x))
			}
			return null
		}}
	}
	sure := func(c expr.Cond, holds func(v *T) bool) rule {
		return rule{c, func(p *Person) truth { return truthOf(holds(get(p))) }}
	}
	return rapid.SampledFrom([]rule{
		is(e.Eq(v), func(x T) bool { return x == v }),
		is(e.Ne(v), func(x T) bool { return x != v }),
		is(e.Gt(v), func(x T) bool { return x > v }),
		is(e.Ge(v), func(x T) bool { return x >= v }),
		is(e.Lt(v), func(x T) bool { return x < v }),
		is(e.Le(v), func(x T) bool { return x <= v }),
		is(e.Between(v, hi), func(x T) bool { return v <= x && x <= hi }),
		is(e.In(list...), func(x T) bool { return slices.Contains(list, x) }),
		is(e.NotIn(list...), func(x T) bool { return !slices.Contains(list, x) }),
		is(e.EqExpr(e), func(T) bool { return true }),
		is(e.NeExpr(e), func(T) bool { return false }),
		sure(e.IsNull(), func(x *T) bool { return x == nil }),
		sure(e.NotNull(), func(x *T) bool { return x != nil }),
		sure(e.Differs(v), func(x *T) bool { return x == nil || *x != v }),
	}).Draw(t, "comparison")
}

// nullable is a comparison of a field that may be NULL with a value that may be.
func (g rules) nullable(t *rapid.T) rule {
	v := rapid.Ptr(rapid.SampledFrom(words), true).Draw(t, "value")
	same := func(p *Person) bool { return p.Nick == nil && v == nil || p.Nick != nil && v != nil && *p.Nick == *v }
	is := func(c expr.Cond, negated bool) rule {
		return rule{c, func(p *Person) truth {
			if p.Nick == nil && v != nil {
				return null // neither equal nor not
			}
			return truthOf(same(p) != negated)
		}}
	}
	return rapid.SampledFrom([]rule{
		is(expr.Eq(&g.row.Nick, v), false),
		is(expr.Ne(&g.row.Nick, v), true),
		is(expr.In(&g.row.Nick, v), false),
		is(expr.NotIn(&g.row.Nick, v), true),
		{expr.Of(&g.row.Nick).Differs(v), func(p *Person) truth { return truthOf(!same(p)) }},
		{expr.In(&g.row.Nick, v, nil), func(p *Person) truth { return truthOf(p.Nick == nil || same(p)) }},
	}).Draw(t, "comparison")
}

// like is a pattern.
func (g rules) like(t *rapid.T) rule {
	w := rapid.SampledFrom(words).Draw(t, "text")
	text := func(c expr.Cond, holds func(name, w string) bool) rule {
		return rule{c, func(p *Person) truth {
			if g.folds {
				return truthOf(holds(strings.ToLower(p.Name), strings.ToLower(w)))
			}
			return truthOf(holds(p.Name, w))
		}}
	}
	fold := rule{expr.ILike(&g.row.Nick, expr.EscapeLike(w)+"%", '/'), func(p *Person) truth {
		if p.Nick == nil {
			return null
		}
		return truthOf(strings.HasPrefix(strings.ToLower(*p.Nick), strings.ToLower(w)))
	}}
	return rapid.SampledFrom([]rule{
		text(expr.Contains(&g.row.Name, w), strings.Contains),
		text(expr.HasPrefix(&g.row.Name, w), strings.HasPrefix),
		text(expr.HasSuffix(&g.row.Name, w), strings.HasSuffix),
		text(expr.Like(&g.row.Name, expr.EscapeLike(w), '/'), func(name, w string) bool { return name == w }),
		text(expr.Like(&g.row.Name, expr.EscapeLike(w)+"_", '/'), func(name, w string) bool {
			return strings.HasPrefix(name, w) && len([]rune(name)) == len([]rune(w))+1
		}),
		fold,
	}).Draw(t, "pattern")
}
