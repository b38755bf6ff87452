package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type stray struct{ Name string }

// TestWhatTheCompilerCannotSeeIsAnErrorThatNamesIt is about pointers that are no
// columns, and values that are no conditions.
func TestWhatTheCompilerCannotSeeIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	q := orm.From[Person]()
	p, team := q.Row(), orm.From[Team]().Row()
	name, al := "al", "al"
	for want, bad := range map[string]orm.Select[Person]{
		"Team.Name is of no row of the query: the query has rows of Person": q.Where(expr.Eq(&team.Name, "red")),
		"a *string that points into no row is no column":                    q.Where(expr.Eq(&name, "al")),
		"a nil *string is no column":                                        q.Where(expr.Eq[string](nil, "al")),
		"a *int64 that points into no row":                                  q.Where(expr.Eq(&(&Person{ID: 1}).ID, 1)),
		"Person.Team of type *expr_test.Team is no column":                  q.Where(expr.Eq(&p.Team, nil)),
		"a comparison > NULL is never true":                                 q.Where(expr.Gt(&p.Nick, nil)),
		"a bool is no condition":                                            q.Where(p.Active),
		"a int is no condition":                                             q.Where(expr.Eq(&p.ID, 1), 2),
		"a string is no condition":                                          q.Where(expr.Eq(&p.ID, 1), "id = 2"),
		"a int is no order":                                                 q.OrderBy("name", 1),
		"a *string that points into no":                                     q.OrderBy(&al),
		"the escape character":                                              q.Where(expr.Like(&p.Name, "a", '\'')),
	} {
		for database, d := range dialects {
			if _, _, err := bad.Render(d); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", database, err, want)
			}
		}
	}
	if _, _, err := q.Where(expr.Eq(&team.Name, "red")).Render(dialects["sqlite"]); !errors.Is(err, mapping.ErrUnknownField) {
		t.Error(err)
	}
	if _, _, err := orm.From[stray]().OrderBy(&orm.From[stray]().Row().Name).Render(dialects["sqlite"]); err == nil {
		t.Error("a struct without a key has a query")
	}
}
