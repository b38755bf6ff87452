package expr_test

import (
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/rows"
)

func goldenExpressions() []golden {
	q := orm.From[Person]()
	p := q.Row()
	age, id := expr.Of(&p.Age), expr.Of(&p.ID)
	where := func(name string, c ...any) golden { return golden{name, q.Where(c[0], c[1:]...)} }
	return []golden{
		where("functions", expr.Lower(&p.Name).Eq("al"), expr.Func[int]("length", &p.Name).Gt(3), expr.Func[string]("replace", &p.Nick, "a", expr.Upper(&p.Name)).Ne("b")),
		where("arithmetic", expr.Add(age, expr.Val(1)).Gt(18), expr.Div(expr.Mul(age, age), expr.Val(2)).LeExpr(expr.Sub(age, expr.Mod(age, expr.Val(7))))),
		where("a bool", expr.Is(expr.Of(&p.Active)), expr.Not(expr.Is(expr.Of(&p.Active)))),
		where("case", expr.Case("minor", expr.When(expr.Ge(&p.Age, 18), "adult"), expr.WhenExpr(expr.IsNull(&p.Nick), expr.Of(&p.Name))).Eq("adult")),
		where("cast", expr.Cast[string](id, "char(20)").Eq("7"), expr.Coalesce(expr.Opt(&p.Nick), "none").Ne("none")),
		where("concat", expr.Concat(expr.Of(&p.Name), expr.Val("-"), expr.Opt(&p.Nick)).Like("a-%")),
		where("text with arguments", expr.SQL[int64]("abs(? - ?)", &p.Age, 5).Lt(3), expr.Is(expr.SQL[bool]("? = 'what?' OR ? > 3", &p.Name, age))),
		{"order by an expression", q.OrderBy(expr.Lower(&p.Name), expr.Func[int]("length", &p.Name).Desc())},
		where("json", expr.JSON[string](&p.Tags, 0).Eq("a"), expr.JSON[int](&p.Tags, "a b", "c").Gt(1), expr.JSON[float64](&p.Tags, "x", 2).IsNull()),
	}
}

func goldenRows() []golden {
	q := orm.From[Person]()
	p, t := q.Row(), orm.From[Team]().Row()
	other := new(Person)
	type summary struct {
		Name  string
		Count int64
		Best  *float64
	}
	var s summary
	return []golden{
		{"two columns", rows.Select2(q, expr.Of(&p.Name), expr.Of(&p.Age)).OrderBy(&p.ID)},
		{"an object and a column", rows.Select2(q.LeftJoin(&p.Team), expr.Object(p), expr.Of(&t.Name)).Where("team.name = ?", "red")},
		{"groups", rows.Select3(q, expr.Opt(&p.TeamID), expr.Count(), expr.Avg(&p.Age)).GroupBy(&p.TeamID).Having(expr.Count().Gt(1), expr.Sum(&p.Age).Le(100)).OrderBy(expr.Count().Desc()).Limit(5)},
		{"into a struct", rows.Into(q.Join(&p.Team), &s, rows.To(&s.Name, expr.Of(&t.Name)), rows.To(&s.Count, expr.Of(&p.Age).CountDistinct()), rows.To(&s.Best, expr.Nullable(expr.OptNull(&p.Score).Max()))).GroupBy(&t.Name)},
		{"distinct", rows.Select1(q, expr.Of(&p.Name)).Distinct()},
		{"a join by condition", rows.Select2(q.JoinOn(other, expr.EqField(&p.TeamID, &other.TeamID), expr.Of(&p.ID).LtExpr(expr.Of(&other.ID))), expr.Object(p), expr.Object(other)).OrderBy(&p.ID, &other.ID)},
		{"objects by a condition", q.LeftJoinOn(other, expr.EqField(&p.Nick, &other.Nick)).Where(expr.IsNull(&other.ID)).OrderBy("person.id")},
		{"a join through a join", orm.From[Person]().Join(&p.Team).Join(&t.People, other).Where(expr.Eq(&other.Name, "al"))},
		{"a window", rows.Select2(q, expr.Of(&p.Name), expr.SQL[int64]("row_number() OVER (PARTITION BY ? ORDER BY ? DESC)", &p.TeamID, &p.Age))},
		{"case and values", rows.Select2(q, expr.Case(0, expr.When(expr.Is(expr.Of(&p.Active)), 1)).Sum(), expr.Val("x"))},
	}
}

func goldenSubqueries() []golden {
	q, teams := orm.From[Person](), orm.From[Team]()
	p, t := q.Row(), teams.Row()
	other := new(Person)
	older := orm.From[Person]().As("other", other)
	return []golden{
		{"exists", teams.Where(expr.Exists(q.Where(expr.Opt(&p.TeamID).EqExpr(expr.Of(&t.ID)), expr.Gt(&p.Age, 60))))},
		{"not exists, of the same type", q.Where(expr.Not(expr.Exists(older.Where(expr.Of(&other.Age).GtExpr(expr.Of(&p.Age)))))).OrderBy(&p.ID)},
		{"in a query", q.Where(expr.Opt(&p.TeamID).InQuery(rows.Select1(teams.Where(expr.HasPrefix(&t.Name, "r")), expr.Of(&t.ID))), expr.Eq(&p.Active, true))},
		{"not in a query", q.Where(expr.NotInQuery(&p.Age, rows.Select1(older.Where("other.name = ?", "al"), expr.Of(&other.Age))), expr.Eq(&p.Name, "bo"))},
		{"a value of a query", q.Where(expr.Of(&p.Age).EqExpr(expr.Scalar(rows.Select1(older, expr.Max(&other.Age)))))},
		{"a query as a column", rows.Select2(teams, expr.Of(&t.Name), expr.Scalar(rows.Select1(q.Where(expr.Opt(&p.TeamID).EqExpr(expr.Of(&t.ID))), expr.Count())))},
	}
}
