package orm_test

import (
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// league adds teams of these names and commits.
func league(t *testing.T, s *orm.Session, names ...string) (teams []*Team) {
	t.Helper()
	for _, name := range names {
		teams = append(teams, &Team{Name: name})
		check(t, s.Add(teams[len(teams)-1]))
	}
	check(t, s.Commit(t.Context()))
	return teams
}

func TestSelectGivesTheSessionsObjects(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		teams := league(t, s, "a", "b", "c", "d")
		all := must(orm.From[Team]().OrderBy("name DESC").All(t.Context(), s))
		if len(all) != 4 || all[0] != teams[3] || all[3] != teams[0] || s.IsExpired(teams[0]) {
			t.Fatalf("got %v", all)
		}
		q := orm.From[Team]().Where("name > ?", "a").Where("name IN (:names) OR name = :one", engine.Params{"names": []string{"b", "c"}, "one": "a"})
		if got := must(q.OrderBy("name").All(t.Context(), s)); len(got) != 2 || got[0] != teams[1] || got[1] != teams[2] {
			t.Errorf("got %v", got)
		}
		if n, ok := must(q.Count(t.Context(), s)), must(q.Exists(t.Context(), s)); n != 2 || !ok {
			t.Errorf("%d objects, there are some: %t", n, ok)
		}
		if must(orm.From[Team]().Where("name = 'x'").Exists(t.Context(), s)) {
			t.Error("there is an x")
		}
		page := orm.From[Team]().OrderBy("name")
		if got := must(page.Offset(1).Limit(2).All(t.Context(), s)); len(got) != 2 || got[0] != teams[1] {
			t.Errorf("a page is %v", got)
		}
		if got := must(page.Offset(3).All(t.Context(), s)); len(got) != 1 || got[0] != teams[3] {
			t.Errorf("the rest is %v", got)
		}
		if got := must(page.First(t.Context(), s)); got != teams[0] {
			t.Errorf("the first is %v", got)
		}
		if n := must(page.Limit(0).All(t.Context(), s)); len(n) != 0 {
			t.Errorf("no objects are %v", n)
		}
	})
}

func TestSelectOne(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		teams := league(t, s, "a", "b")
		named := func(name string) orm.Select[Team] { return orm.From[Team]().Where("name = ?", name) }
		if got := must(named("b").One(t.Context(), s)); got != teams[1] {
			t.Errorf("got %v", got)
		}
		if got := must(named("x").OneOrNone(t.Context(), s)); got != nil {
			t.Errorf("got %v", got)
		}
		if got := must(named("x").First(t.Context(), s)); got != nil {
			t.Errorf("got %v", got)
		}
		if _, err := named("x").One(t.Context(), s); !errors.Is(err, engine.ErrNoResult) {
			t.Error(err)
		}
		if _, err := orm.From[Team]().One(t.Context(), s); !errors.Is(err, engine.ErrMultipleResults) {
			t.Error(err)
		}
	})
}

func TestSelectFlushesAndKeepsChanges(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		teams := league(t, s, "a")
		must(orm.Get[Team](t.Context(), s, teams[0].ID))
		added := &Team{Name: "new"}
		check(t, s.Add(added))
		teams[0].Name = "z"
		got := must(orm.From[Team]().OrderBy("name").All(t.Context(), s))
		if len(got) != 2 || got[0] != added || got[1] != teams[0] {
			t.Fatalf("got %v", got)
		}
		check(t, s.NoAutoflush(func() error {
			teams[0].Name = "mine"
			if must(orm.From[Team]().All(t.Context(), s)); teams[0].Name != "mine" {
				t.Error("a change was overwritten")
			}
			if must(orm.From[Team]().PopulateExisting().All(t.Context(), s)); teams[0].Name != "z" {
				t.Errorf("the object says %q", teams[0].Name)
			}
			return nil
		}))
		n := 0
		for _, err := range orm.From[Team]().Each(t.Context(), s) {
			check(t, err)
			n++
			break
		}
		check(t, s.Flush(t.Context()), s.Commit(t.Context()))
		if n != 1 {
			t.Errorf("the loop ran %d times", n)
		}
	})
}

func TestRowsAreLocked(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		if !db.Dialect().Features.SkipLocked {
			t.Skip("SQLite locks as a whole")
		}
		mine, other := db.session(t), db.session(t)
		league(t, mine, "a", "b")
		must(orm.From[Team]().Where("name = 'a'").ForUpdate().All(t.Context(), mine))
		if got := must(orm.From[Team]().ForUpdateSkipLocked().All(t.Context(), other)); len(got) != 1 || got[0].Name != "b" {
			t.Errorf("got %v", got)
		}
		if _, err := orm.From[Team]().Where("name = 'a'").ForUpdateNoWait().All(t.Context(), other); err == nil {
			t.Error("a locked row was locked")
		}
		check(t, other.Rollback(t.Context()), mine.Commit(t.Context()))
	})
}

func TestStatementsOfAllKindsGiveObjects(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		teams := league(t, s, "a", "b")
		got := must(orm.Scalars[*Team](t.Context(), s, engine.Text("SELECT id, name FROM team WHERE name = ?", "b")))
		if len(got) != 1 || got[0] != teams[1] || s.IsExpired(teams[1]) {
			t.Fatalf("got %v", got)
		}
		fresh := db.session(t)
		check(t, s.Commit(t.Context()))
		part := must(orm.Scalars[*Team](t.Context(), fresh, engine.Text("SELECT id FROM team ORDER BY id")))
		if len(part) != 2 || part[0].Name != "" || !fresh.IsExpired(part[0]) {
			t.Fatalf("got %v", part)
		}
		if must(orm.Get[Team](t.Context(), fresh, part[0].ID)); part[0].Name != "a" {
			t.Errorf("read in full the object says %q", part[0].Name)
		}
		for _, text := range []string{"SELECT name FROM team", "SELECT id, name AS nome FROM team", "SELECT nothing"} {
			if _, err := orm.Scalars[*Team](t.Context(), fresh, engine.Text(text)); err == nil {
				t.Errorf("%s: no error", text)
			}
			check(t, fresh.Rollback(t.Context()))
		}
	})
}

func TestNoTrackLeavesNothingBehind(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		kept := &Team{Name: "red"}
		check(t, s.Add(kept), s.Flush(t.Context()))
		loose := must(orm.From[Team]().NoTrack().All(t.Context(), s))
		if len(loose) != 1 || loose[0] == kept || loose[0].Name != "red" || s.Contains(loose[0]) {
			t.Errorf("%+v", loose)
		}
		for team, err := range orm.From[Team]().NoTrack().Each(t.Context(), s) {
			check(t, err)
			if s.Contains(team) {
				t.Error("an object became the session's")
			}
		}
		if _, err := orm.From[Team]().NoTrack().With("Players").All(t.Context(), s); err == nil {
			t.Error("relations of loose objects were read")
		}
	})
}
