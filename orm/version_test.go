package orm_test

import (
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// TestARowReadInPartKeepsItsVersion changes and deletes objects that were read
// without the version of their row.
func TestARowReadInPartKeepsItsVersion(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()))
		check(t, s.AddAll(
			&Player{TeamID: team.ID, Name: "ann"}, &Player{TeamID: team.ID, Name: "bob"}, &Player{TeamID: team.ID, Name: "cid"},
		), s.Commit(t.Context()))
		check(t, second(db.Execute(t.Context(), engine.Text("UPDATE player SET version = 7"))))
		s.ExpungeAll()
		read := engine.Text("SELECT id, name FROM player ORDER BY id")
		players := must(orm.Scalars[*Player](t.Context(), s, read))
		ann, bob, cid := players[0], players[1], players[2]
		ann.Name = "anna"
		check(t, s.Delete(t.Context(), bob), s.Flush(t.Context()))
		check(t, s.Rollback(t.Context()))
		if ann.Version != 0 && ann.Version != 7 {
			t.Errorf("after a rollback the version is %d", ann.Version)
		}

		players = must(orm.Scalars[*Player](t.Context(), s, read))
		if len(players) != 3 || players[0] != ann || ann.Name != "ann" {
			t.Fatalf("%+v", players)
		}
		ann.Name = "anna"
		check(t, s.Delete(t.Context(), bob), s.Commit(t.Context()))
		if ann.Version != 8 {
			t.Errorf("the version is %d, want 8", ann.Version)
		}
		if n := db.count(t, "SELECT count(*) FROM player WHERE name = 'anna' AND version = 8"); n != 1 {
			t.Error("the row was not changed")
		}
		if n := db.count(t, "SELECT count(*) FROM player"); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		ann.Name = "ann" // its version is known now
		check(t, s.Commit(t.Context()))

		check(t, second(db.Execute(t.Context(), engine.Text("DELETE FROM player WHERE name = 'cid'"))))
		cid.Name = "sid"
		var stale *orm.StaleDataError
		if err := s.Commit(t.Context()); !errors.As(err, &stale) {
			t.Errorf("the row is gone, and the error is %v", err)
		}
		check(t, s.Rollback(t.Context()))
	})
}
