package expr_test

import (
	"context"
	"testing"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/internal/ormtest"
)

// form is a query, made anew each time, by text and by typed conditions.
type form struct {
	name        string
	text, typed func(name string, age int) orm.Select[Person]
}

var forms = []form{
	{
		"one condition",
		func(name string, _ int) orm.Select[Person] { return orm.From[Person]().Where("name = ?", name) },
		func(name string, _ int) orm.Select[Person] {
			q := orm.From[Person]()
			return q.Where(expr.Eq(&q.Row().Name, name))
		},
	},
	{
		"two and an order",
		func(name string, age int) orm.Select[Person] {
			return orm.From[Person]().Where("name LIKE ? AND age > ?", name, age).OrderBy("id DESC").Limit(10)
		},
		func(name string, age int) orm.Select[Person] {
			q := orm.From[Person]()
			p := q.Row()
			return q.Where(expr.Like(&p.Name, name), expr.Gt(&p.Age, age)).OrderBy(expr.Desc(&p.ID)).Limit(10)
		},
	},
	{
		"in",
		func(_ string, age int) orm.Select[Person] {
			return orm.From[Person]().Where("age IN (?)", []int{age, 1001, 1002, 1003})
		},
		func(_ string, age int) orm.Select[Person] {
			q := orm.From[Person]()
			return q.Where(expr.In(&q.Row().Age, age, 1001, 1002, 1003))
		},
	},
	{
		"or",
		func(name string, age int) orm.Select[Person] {
			return orm.From[Person]().Where("(name = ? OR age > ?) AND nick IS NOT NULL", name, age)
		},
		func(name string, age int) orm.Select[Person] {
			q := orm.From[Person]()
			p := q.Row()
			return q.Where(expr.Or(expr.Eq(&p.Name, name), expr.Gt(&p.Age, age)), expr.NotNull(&p.Nick))
		},
	},
}

// TestTypedConditionsAllocateNoMoreThanText compares the whole query, from making
// it to its last row.
func TestTypedConditionsAllocateNoMoreThanText(t *testing.T) {
	ctx := context.Background()
	eng, s := crowded(t)
	for _, f := range forms {
		count := func(q func(string, int) orm.Select[Person]) float64 {
			return alloctest.PerRun(100, func() {
				if _, err := q("nobody", 4711).NoTrack().All(ctx, s); err != nil {
					t.Fatal(err)
				}
			})
		}
		text, typed := count(f.text), count(f.typed)
		t.Logf("%s: text %v, typed %v", f.name, text, typed)
		if typed > 1.1*text+alloctest.Lost {
			t.Errorf("%s: %v allocations, and %v by text", f.name, typed, text)
		}
	}
	_ = eng
}

// TestTheTextIsMadeOncePerShape is that a query of the same shape has the same
// text, in the same memory.
func TestTheTextIsMadeOncePerShape(t *testing.T) {
	t.Parallel()
	for _, f := range forms {
		for name, d := range dialects {
			one, _, err := f.typed("a", 4711).Render(d)
			other, args, wrong := f.typed("b", 4712).Render(d)
			ormtest.Check(t, err, wrong)
			if one != other || unsafe.StringData(one) != unsafe.StringData(other) {
				t.Errorf("%s, %s: made twice", f.name, name)
			}
			if len(args) == 0 {
				t.Errorf("%s, %s: no arguments", f.name, name)
			}
		}
	}
}

// crowded returns a session on a database in memory with people.
func crowded(tb testing.TB) (*engine.Engine, *orm.Session) {
	tb.Helper()
	ctx := context.Background()
	eng, err := engine.Open(ctx, "sqlite::memory:")
	ormtest.Check(tb, err)
	for _, text := range schema[eng.Dialect().System] {
		_, err := eng.Execute(ctx, engine.Text(text))
		ormtest.Check(tb, err)
	}
	s := orm.NewSession(eng)
	tb.Cleanup(func() {
		ormtest.Check(tb, s.Close(ctx), eng.Dispose())
	})
	for _, p := range crowd() {
		ormtest.Check(tb, s.Add(p))
	}
	ormtest.Check(tb, s.Commit(ctx))
	return eng, s
}

// BenchmarkQuery makes a query and runs it on a database in memory that has no
// row for it; BenchmarkRender makes its text and arguments.
func BenchmarkQuery(b *testing.B) {
	_, s := crowded(b)
	for _, f := range forms {
		for kind, q := range map[string]func(string, int) orm.Select[Person]{"text": f.text, "typed": f.typed} {
			b.Run(f.name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := q("nobody", 4711).NoTrack().All(b.Context(), s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRender(b *testing.B) {
	for _, f := range forms {
		for kind, q := range map[string]func(string, int) orm.Select[Person]{"text": f.text, "typed": f.typed} {
			b.Run(f.name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := q("nobody", 4711).Render(dialects["postgresql"]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
