package rows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/internal/ormtest"
	"github.com/sessionproxy/sessionproxy/orm/rows"
)

// TestObjectsOfSeveralTablesAreTheSessions is a row of two objects: one pointer per
// row of a table, and nil where an outer join has found nothing.
func TestObjectsOfSeveralTablesAreTheSessions(t *testing.T) {
	onEach(t, func(t *testing.T, s *orm.Session) {
		q := orm.From[Book]()
		b, a := q.Row(), orm.From[Author]().Row()
		found, err := rows.Select2(q.LeftJoin(&b.Author), expr.Object(b), expr.Object(a)).OrderBy(&b.ID).All(t.Context(), s)
		ormtest.Check(t, err)
		if len(found) != 3 || found[0].B == nil || found[0].B != found[1].B || found[2].B != nil || found[2].A.Title != "none" {
			t.Fatalf("%+v", found)
		}
		ann, err := orm.Get[Author](t.Context(), s, found[0].B.ID)
		ormtest.Check(t, err)
		if ann != found[0].B || !s.Contains(found[2].A) {
			t.Error("an object is not the session's")
		}
		found[0].A.Title = "changed"
		ormtest.Check(t, s.Flush(t.Context()))
		title, _, err := rows.Select1(q.Where(expr.Eq(&b.ID, found[0].A.ID)), expr.Of(&b.Title)).First(t.Context(), s)
		if ormtest.Check(t, err); title != "changed" {
			t.Errorf("the row says %q", title)
		}
		loose, err := rows.Select1(q.NoTrack(), expr.Object(b)).All(t.Context(), s)
		if ormtest.Check(t, err); len(loose) != 3 || s.Contains(loose[0]) {
			t.Errorf("%v", loose)
		}
	})
}

// TestGroupsAndTheirSums is about aggregates, and what is NULL among them.
func TestGroupsAndTheirSums(t *testing.T) {
	onEach(t, func(t *testing.T, s *orm.Session) {
		q := orm.From[Author]()
		a, b := q.Row(), orm.From[Book]().Row()
		joined := q.LeftJoin(&a.Books)
		type sum struct {
			Name  string
			Books int64
			Pages *int
			Price float64
		}
		var r sum
		found, err := rows.Into(joined, &r,
			rows.To(&r.Name, expr.Of(&a.Name)), rows.To(&r.Books, expr.Of(&b.ID).Count()),
			rows.To(&r.Pages, expr.Nullable(expr.Sum(&b.Pages))), rows.To(&r.Price, expr.Coalesce(expr.Avg(&b.Price), -1)),
		).GroupBy(&a.Name).OrderBy(&a.Name).All(t.Context(), s)
		ormtest.Check(t, err)
		if len(found) != 2 || found[0].Name != "ann" || found[0].Books != 2 || *found[0].Pages != 30 || found[0].Price != 2 {
			t.Errorf("%+v", found)
		}
		if found[1].Name != "bob" || found[1].Books != 0 || found[1].Pages != nil || found[1].Price != -1 {
			t.Errorf("%+v", found[1])
		}
		if r != (sum{}) {
			t.Errorf("something was read into %+v", r)
		}
		many, err := rows.Select2(joined, expr.Of(&a.Name), expr.Count()).GroupBy(&a.Name).Having(expr.Of(&b.ID).Count().Gt(1)).All(t.Context(), s)
		if ormtest.Check(t, err); !slices.Equal(many, []rows.Row2[string, int64]{{A: "ann", B: 2}}) {
			t.Errorf("%v", many)
		}
		least, err := rows.Select3(orm.From[Book](), expr.Min(&b.Title), expr.Max(&b.Pages), expr.Of(&b.Pages).CountDistinct()).One(t.Context(), s)
		if ormtest.Check(t, err); least.A != "none" || least.B != 30 || least.C != 3 {
			t.Errorf("%+v", least)
		}
		if _, err := rows.Select2(joined, expr.Of(&a.Name), expr.Sum(&b.Pages)).GroupBy(&a.Name).All(t.Context(), s); err == nil {
			t.Error("NULL was read as a number")
		}
	})
}

// TestQueriesInsideQueries is about values and lists from another query.
func TestQueriesInsideQueries(t *testing.T) {
	onEach(t, func(t *testing.T, s *orm.Session) {
		q, books := orm.From[Author](), orm.From[Book]()
		a, b := q.Row(), books.Row()
		of := books.Where(expr.Opt(&b.AuthorID).EqExpr(expr.Of(&a.ID)))
		names := func(q orm.Select[Author]) string {
			found, err := rows.Select1(q, expr.Of(&a.Name)).OrderBy(&a.Name).All(t.Context(), s)
			ormtest.Check(t, err)
			return strings.Join(found, " ")
		}
		for what, c := range map[string]struct {
			q    orm.Select[Author]
			want string
		}{
			"exists":       {q.Where(expr.Exists(of)), "ann"},
			"not exists":   {q.Where(expr.Not(expr.Exists(of.Where(expr.Gt(&b.Pages, 10))))), "bob"},
			"in":           {q.Where(expr.InQuery(&a.ID, rows.Select1(books.Where(expr.NotNull(&b.AuthorID)), expr.Cast[int64](expr.Opt(&b.AuthorID), "decimal(10)")))), "ann"},
			"a value":      {q.Where(expr.Scalar(rows.Select1(of, expr.Count())).Eq(0)), "bob"},
			"not in":       {q.Where(expr.NotInQuery(&a.ID, rows.Select1(books.Where(expr.NotNull(&b.AuthorID)), expr.Opt(&b.AuthorID)))), "bob"},
			"not in, NULL": {q.Where(expr.NotInQuery(&a.ID, rows.Select1(books, expr.Opt(&b.AuthorID)))), ""},
		} {
			if got := names(c.q); got != c.want {
				t.Errorf("%s: got %q, want %q", what, got, c.want)
			}
		}
		other := new(Book)
		longer := orm.From[Book]().As("other", other).Where(expr.Of(&other.Pages).GtExpr(expr.Of(&b.Pages)))
		longest, err := books.Where(expr.Not(expr.Exists(longer))).One(t.Context(), s)
		if ormtest.Check(t, err); longest.Title != "none" {
			t.Errorf("the longest is %q", longest.Title)
		}
	})
}

// TestATableTwice is about rows of their own.
func TestATableTwice(t *testing.T) {
	onEach(t, func(t *testing.T, s *orm.Session) {
		q := orm.From[Book]()
		b, other := q.Row(), new(Book)
		pairs, err := rows.Select2(q.JoinOn(other, expr.Of(&b.Pages).LtExpr(expr.Of(&other.Pages))), expr.Object(b), expr.Of(&other.Title)).
			OrderBy(&b.Pages, &other.Pages).All(t.Context(), s)
		ormtest.Check(t, err)
		got := ""
		for _, p := range pairs {
			got += p.A.Title + "-" + p.B + " "
		}
		if got != "one-two one-none two-none " {
			t.Error(got)
		}
		once, err := q.JoinOn(other, expr.Of(&b.Pages).LtExpr(expr.Of(&other.Pages))).OrderBy(&b.ID).All(t.Context(), s)
		if ormtest.Check(t, err); len(once) != 2 {
			t.Errorf("%d objects, each of them once", len(once))
		}
		a := orm.From[Author]().Row()
		mates, err := rows.Select2(q.Join(&b.Author).Join(&a.Books, other), expr.Of(&b.Title), expr.Of(&other.Title)).
			Where(expr.Of(&b.ID).NeExpr(expr.Of(&other.ID))).OrderBy(&b.ID).All(t.Context(), s)
		if ormtest.Check(t, err); !slices.Equal(mates, []rows.Row2[string, string]{{A: "one", B: "two"}, {A: "two", B: "one"}}) {
			t.Error(mates)
		}
	})
}

// TestOneFirstAndEach are the ways to take rows.
func TestOneFirstAndEach(t *testing.T) {
	onEach(t, func(t *testing.T, s *orm.Session) {
		q := orm.From[Book]()
		b := q.Row()
		titles := rows.Select1(q, expr.Of(&b.Title)).OrderBy(&b.ID)
		if _, err := titles.One(t.Context(), s); !errors.Is(err, engine.ErrMultipleResults) {
			t.Error(err)
		}
		if _, err := titles.Where(expr.Eq(&b.ID, -1)).One(t.Context(), s); !errors.Is(err, engine.ErrNoResult) {
			t.Error(err)
		}
		first, ok, err := titles.Offset(1).First(t.Context(), s)
		if err != nil || !ok || first != "two" {
			t.Error(first, ok, err)
		}
		if _, ok, err := titles.Where("title = ?", "?").First(t.Context(), s); ok || err != nil {
			t.Error(ok, err)
		}
		n := 0
		for _, err := range titles.Each(t.Context(), s) {
			ormtest.Check(t, err)
			if n++; n == 2 {
				break
			}
		}
		if n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestMistakesInRowsAreNamed are those that the compiler can't see.
func TestMistakesInRowsAreNamed(t *testing.T) {
	onEach(t, func(t *testing.T, s *orm.Session) {
		q := orm.From[Book]()
		b, a, other := q.Row(), orm.From[Author]().Row(), new(Book)
		var r struct{ Title string }
		elsewhere := ""
		two := rows.Select2(q, expr.Of(&b.ID), expr.Of(&b.Pages))
		for want, bad := range map[string]func() error{
			"Author.Name is of no row":  func() error { _, err := rows.Select1(q, expr.Of(&a.Name)).All(t.Context(), s); return err },
			"the row of Author is none": func() error { _, err := rows.Select1(q, expr.Object(a)).All(t.Context(), s); return err },
			"column of several tables":  func() error { _, err := twice(q, other).All(t.Context(), s); return err },
			"field 1, a string, is none": func() error {
				_, err := rows.Into(q, &r, rows.To(&elsewhere, expr.Of(&b.Title))).All(t.Context(), s)
				return err
			},
			"a int is neither a pointer":           func() error { _, err := rows.Select1(q, expr.Count()).GroupBy(b.Pages).All(t.Context(), s); return err },
			"is no relation":                       func() error { _, err := q.Join(&b.Title).All(t.Context(), s); return err },
			"a row of type *rows_test.Author":      func() error { _, err := orm.From[Author]().Join(&a.Books, a).All(t.Context(), s); return err },
			"a query of 2 columns inside another":  func() error { _, err := rows.Select1(q, expr.Scalar(two)).All(t.Context(), s); return err },
			"column 1 is no expression":            func() error { _, err := rows.Select1(q, expr.Expr[int]{}).All(t.Context(), s); return err },
			"rows of several values read no relat": func() error { _, err := rows.Select1(q.With("Author"), expr.Object(b)).All(t.Context(), s); return err },
		} {
			if err := bad(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
			ormtest.Check(t, s.Rollback(t.Context()))
		}
	})
}

// twice joins a type twice, without a row of its own for either.
func twice(q orm.Select[Book], other *Book) orm.Select[Book] {
	a := orm.From[Author]().Row()
	return q.Join(&q.Row().Author).JoinOn(other, expr.Text("1 = 1")).Join(&other.Author).Where(expr.Eq(&a.Name, "ann"))
}
