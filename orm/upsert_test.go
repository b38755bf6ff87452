package orm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/orm"
)

// Visitor has a unique pair, a default, and a version.
type Visitor struct {
	ID      int64
	Site    string `orm:",unique:who,type:VARCHAR(40)"`
	Email   string `orm:",unique:who,type:VARCHAR(40)"`
	Name    string
	Kind    string `orm:",default:'guest',type:VARCHAR(40)"`
	Visits  int
	Version int `orm:",version"`
}

// Many objects become rows in one statement, new ones or those that are there,
// and know their keys afterwards.
func TestUpsert(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		check(t, orm.CreateAll(ctx, db, (*Visitor)(nil)))
		s := db.session(t, orm.WithoutExpireOnCommit())
		ann := &Visitor{Site: "x", Email: "ann", Name: "ann", Kind: "admin", Visits: 1}
		check(t, s.Add(ann), s.Add(&Visitor{Site: "x", Email: "bob", Name: "bob", Visits: 1}), s.Commit(ctx))
		must(orm.From[Visitor]().All(ctx, s))
		some := func() (out []*Visitor) {
			for i := range 300 {
				out = append(out, &Visitor{Site: "y", Email: fmt.Sprint(i), Name: "new", Visits: 5})
			}
			return append(out, &Visitor{Site: "x", Email: "ann", Name: "other", Visits: 5}, &Visitor{Site: "x", Email: "bob", Name: "other", Visits: 5})
		}
		who := []string{"Site", "Email"}
		db.rec.take()
		all := some()
		check(t, orm.From[Visitor]().Upsert(ctx, s, all, who, "Visits"))
		if sent := slices.DeleteFunc(db.rec.take(), func(text string) bool { return text == "BEGIN" }); len(sent) != 2 {
			t.Errorf("sent %q, and 302 rows are two statements", sent)
		}
		keys := map[int64]bool{}
		for _, v := range all {
			keys[v.ID] = true
		}
		if len(keys) != 302 || keys[0] || all[0].Kind != "guest" || all[0].Version != 1 {
			t.Errorf("%d keys, %+v", len(keys), all[0])
		}
		if got := *all[300]; got != (Visitor{ID: ann.ID, Site: "x", Email: "ann", Name: "ann", Kind: "admin", Visits: 5, Version: 2}) {
			t.Errorf("%+v", got)
		}
		if ann.Visits != 5 || ann.Version != 2 || s.IsModified(ann) || s.Contains(all[300]) {
			t.Errorf("the session's is %+v", ann)
		}
		again := some()
		check(t, orm.From[Visitor]().Upsert(ctx, s, again, who)) // all are there, and stay
		if again[7].ID != all[7].ID || again[301].Name != "bob" || again[301].Version != 2 {
			t.Errorf("%+v, %+v", again[7], again[301])
		}
		ann.Name = "Ann"
		check(t, s.Commit(ctx))
		if n := db.count(t, "SELECT count(*) FROM visitor WHERE visits = 5"); n != 302 {
			t.Errorf("%d rows", n)
		}
		for name, err := range map[string]error{
			"twice":           orm.From[Visitor]().Upsert(ctx, s, []*Visitor{{Site: "z", Email: "1"}, {Site: "z", Email: "1"}}, who),
			"of the session":  orm.From[Visitor]().Upsert(ctx, s, []*Visitor{ann}, who),
			"a key set":       orm.From[Visitor]().Upsert(ctx, s, nil, who, "ID"),
			"with conditions": orm.From[Visitor]().Where("id = 1").Upsert(ctx, s, nil, who),
			"nowhere":         orm.From[Visitor]().Upsert(ctx, s, nil, nil),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if err := orm.From[Visitor]().Upsert(ctx, s, nil, []string{"Nobody"}); !errors.Is(err, orm.ErrUnknownField) {
			t.Error(err)
		}
		check(t, s.Rollback(ctx))
	})
}
