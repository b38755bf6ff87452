package expr_test

import (
	"errors"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
	"github.com/sessionproxy/sessionproxy/orm/internal/ormtest"
)

// Settings are stored as JSON, Labels as an array where there are arrays.
type Settings struct {
	Theme map[string]string `json:"theme"`
	Sizes []int             `json:"sizes"`
}

type Profile struct {
	ID       int64
	Settings Settings `orm:",json"`
	Labels   []string
}

// TestDocumentsAndLists looks into JSON on each database, and into arrays on
// PostgreSQL, which alone has them.
func TestDocumentsAndLists(t *testing.T) {
	onEach(t, func(t *testing.T, eng *engine.Engine) {
		s := ormtest.Session(t, eng)
		ormtest.Check(t, orm.CreateAll(t.Context(), eng, (*Profile)(nil)), s.AddAll(
			&Profile{ID: 1, Settings: Settings{Theme: map[string]string{"color": "red"}, Sizes: []int{5, 10}}, Labels: []string{"a", "b"}},
			&Profile{ID: 2, Settings: Settings{Sizes: []int{9}}, Labels: []string{"b", "c"}},
		), s.Commit(t.Context()))
		q := orm.From[Profile]()
		p := q.Row()
		found := func(c expr.Cond) (ids []int64, err error) {
			all, err := q.Where(c).OrderBy(&p.ID).All(t.Context(), s)
			for _, one := range all {
				ids = append(ids, one.ID)
			}
			return ids, err
		}
		expect := func(name string, c expr.Cond, want ...int64) {
			t.Helper()
			got, err := found(c)
			if ormtest.Check(t, err); len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		expect("a key", expr.JSON[string](&p.Settings, "theme", "color").Eq("red"), 1)
		expect("a key that is not there", expr.JSON[string](&p.Settings, "theme", "color").IsNull(), 2)
		expect("an index", expr.JSON[int](&p.Settings, "sizes", 0).Gt(5), 2)
		expect("a number, not its text", expr.JSON[int](&p.Settings, "sizes", 1).Gt(9), 1)
		lists := map[string]expr.Cond{"element": expr.HasElement(&p.Labels, "a"), "all": expr.HasAll(&p.Labels, "b", "a"), "any": expr.HasAny(&p.Labels, "x", "a")}
		for name, c := range lists {
			if eng.Dialect().System == sp.PostgreSQL {
				expect(name, c, 1)
			} else if _, err := found(c); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
