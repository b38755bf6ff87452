package expr_test

import (
	"database/sql"
	"time"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
)

// Team and Person are the tables of the tests.
type Team struct {
	ID      int64
	Name    string
	People  []*Person `orm:"rel:has-many"`
	Created time.Time
}

type Person struct {
	ID     int64
	TeamID *int64
	Name   string
	Age    int
	Nick   *string
	Score  sql.Null[float64]
	Active bool
	Tags   []string `orm:",json"`
	Team   *Team    `orm:"rel:belongs-to"`
}

func goldens() []golden {
	var out []golden
	for _, part := range [][]golden{goldenComparisons(), goldenJunctions(), goldenExpressions(), goldenRows(), goldenSubqueries()} {
		out = append(out, part...)
	}
	return out
}

func goldenComparisons() []golden {
	q := orm.From[Person]()
	p := q.Row()
	al, five := "al", sql.Null[float64]{V: 5, Valid: true}
	where := func(name string, c ...any) golden { return golden{name, q.Where(c[0], c[1:]...)} }
	return []golden{
		{"the example", q.Where(expr.Like(&p.Name, "%Alice%"), expr.Gt(&p.Age, 18)).OrderBy(expr.Desc(&p.ID))},
		where("equal", expr.Eq(&p.Name, "al"), expr.Ne(&p.Name, "bo"), expr.Eq(&p.Active, true)),
		where("order", expr.Gt(&p.Age, 1), expr.Ge(&p.Age, 2), expr.Lt(&p.Age, 3), expr.Le(&p.Age, 4), expr.Between(&p.Age, 5, 6)),
		where("a pointer", expr.Eq(&p.Nick, &al), expr.Ne(&p.Nick, nil), expr.Eq(&p.Nick, nil), expr.Gt(&p.Nick, &al)),
		where("a Null", expr.Eq(&p.Score, five), expr.Eq(&p.Score, sql.Null[float64]{}), expr.Ne(&p.Score, sql.Null[float64]{})),
		where("plain values", expr.Opt(&p.Nick).Eq("al"), expr.OptNull(&p.Score).Gt(5), expr.Opt(&p.TeamID).In(1, 2)),
		where("null", expr.IsNull(&p.Nick), expr.NotNull(&p.Score)),
		where("differs", expr.Opt(&p.Nick).Differs("al"), expr.Of(&p.Nick).Differs(nil)),
		where("in", expr.In(&p.ID, 1, 2, 3), expr.NotIn(&p.Name, "al"), expr.In(&p.ID), expr.NotIn(&p.ID)),
		where("in with null", expr.In(&p.Nick, &al, nil), expr.NotIn(&p.Nick, nil, &al), expr.In(&p.Nick, nil)),
		where("like", expr.Like(&p.Name, "a/%%", '/'), expr.ILike(&p.Nick, "A%")),
		where("plain text", expr.Contains(&p.Name, "50%_/"), expr.HasPrefix(&p.Nick, "a"), expr.HasSuffix(&p.Name, "z")),
		where("json", expr.Eq(&p.Tags, []string{"a", "b"})),
		where("fields", expr.EqField(&p.Name, &p.Name), expr.Of(&p.ID).GtExpr(expr.Of(&p.ID))),
		{"orders", q.OrderBy(&p.Name, expr.Asc(&p.Nick).NullsLast(), expr.Desc(&p.Score).NullsFirst(), "id DESC")},
	}
}

func goldenJunctions() []golden {
	q := orm.From[Person]()
	p := q.Row()
	a, b, c := expr.Eq(&p.ID, 1), expr.Eq(&p.ID, 2), expr.Eq(&p.ID, 3)
	return []golden{
		{"or in and", q.Where(expr.Or(a, b), c)},
		{"and in or", q.Where(expr.Or(expr.And(a, b), c))},
		{"not", q.Where(expr.Not(expr.Or(a, b)), expr.Not(a))},
		{"nothing", q.Where(expr.And(), expr.Or())},
		{"text beside", q.Where("age > ?", 18).Where(a).Where("name = :name", map[string]any{"name": "al"}).OrderBy("name")},
		{"text inside", q.Where(expr.Or(a, expr.Text("age > ? OR name = ?", 18, "al")), b)},
		{"bounds", q.Where(a).Limit(3).Offset(4).ForUpdate()},
		{"a join", q.Join("Team").Where(expr.Eq(&orm.From[Team]().Row().Name, "red"), a)},
		{"a join of many", orm.From[Team]().Join("People").Where(expr.Eq(&p.Name, "al")).OrderBy(&orm.From[Team]().Row().Name)},
	}
}
