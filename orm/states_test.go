package orm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

func TestAPendingObjectBecomesTransient(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		for name, leave := range map[string]func(team *Team) error{
			"expunge":     func(team *Team) error { return s.Expunge(team) },
			"expunge all": func(*Team) error { s.ExpungeAll(); return nil },
			"rollback":    func(*Team) error { return s.Rollback(t.Context()) },
			"close":       func(*Team) error { return s.Close(t.Context()) },
			"reset":       func(*Team) error { return s.Reset(t.Context()) },
			"invalidate":  func(*Team) error { return s.Invalidate(t.Context()) },
		} {
			team := &Team{Name: name}
			check(t, s.Add(team))
			for what, err := range map[string]error{
				"deleted": s.Delete(t.Context(), team), "expired": s.Expire(team), "refreshed": s.Refresh(t.Context(), team),
			} {
				if !errors.Is(err, orm.ErrInvalidState) {
					t.Errorf("a pending object was %s: %v", what, err)
				}
			}
			db.sent(t) // nothing yet
			check(t, leave(team))
			if s.Contains(team) || len(slices.Collect(s.New())) != 0 {
				t.Errorf("after %s the object is pending", name)
			}
			check(t, s.Commit(t.Context())) // the session can be used again
			db.sent(t)
		}
		if n := db.count(t, "SELECT count(*) FROM team"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestAMarkedObject(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Commit(t.Context()))
		db.rec.take()
		check(t, s.Delete(t.Context(), team), s.Add(team), s.Flush(t.Context()))
		db.sent(t) // it was not deleted after all

		check(t, s.Delete(t.Context(), team), s.Delete(t.Context(), team))
		if got := must(orm.Get[Team](t.Context(), s, team.ID)); got != team || !s.Contains(team) {
			t.Errorf("before the flush, its row has the object %p, want %p", got, team)
		}
		db.sent(t)
		if got := must(orm.From[Team]().All(t.Context(), s)); len(got) != 0 || s.Contains(team) {
			t.Errorf("a query finds %v", got)
		}
		db.sent(t, "DELETE team")
		check(t, s.Commit(t.Context()))
		if s.Contains(team) || !errors.Is(s.Expunge(team), orm.ErrInvalidState) {
			t.Error("it is not detached by the commit")
		}
		check(t, s.Add(team), s.Commit(t.Context())) // as a new one
		if n := db.count(t, "SELECT count(*) FROM team"); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestWhatBeganInTheTransactionEndsWithIt(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		deleted, expunged := &Team{Name: "red"}, &Team{Name: "blue"}
		check(t, s.AddAll(deleted, expunged), s.Flush(t.Context()))
		check(t, s.Delete(t.Context(), deleted), s.Flush(t.Context()), s.Expunge(expunged))
		check(t, s.Rollback(t.Context()))
		for _, team := range []*Team{deleted, expunged} {
			if s.Contains(team) || team.ID != 0 {
				t.Errorf("%q has the key %d", team.Name, team.ID)
			}
		}
		check(t, s.AddAll(deleted, expunged), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team"); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestADetachedObjectKeepsItsValues(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()), s.Expunge(team))
		team.Name = "nobody hears of it"
		check(t, s.Commit(t.Context()))
		other := must(orm.GetOne[Team](t.Context(), s, team.ID))
		if other == team || other.Name != "red" {
			t.Errorf("%+v", other)
		}
		other.Name = "blue"
		s.ExpungeAll()
		if s.Contains(other) || !s.InTransaction() {
			t.Error("letting go of all objects ends the transaction, or does not let go")
		}
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team WHERE name = 'red'"); n != 1 {
			t.Error("a change of what was let go was sent")
		}
	})
}

func TestAnExpiredObjectIsWrittenWithoutARead(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Commit(t.Context()))
		db.rec.take()
		team.Name = "blue"
		check(t, s.Commit(t.Context()))
		if got := db.rec.take(); !slices.Equal(got, []string{"UPDATE team"}) {
			t.Errorf("sent %q, want no SELECT", got)
		}
		team.Name = "green"
		s.ExpireAll()
		if !s.IsExpired(team) || s.IsModified(team) || len(slices.Collect(s.Dirty())) != 0 {
			t.Error("a change from before is still there")
		}
		for name, err := range map[string]error{
			"expire":  s.Expire(&Team{ID: team.ID}),
			"refresh": s.Refresh(t.Context(), &Team{ID: team.ID}),
			"delete":  s.Delete(t.Context(), &Team{ID: team.ID}),
		} {
			if !errors.Is(err, orm.ErrInvalidState) {
				t.Errorf("%s of an object that is not the session's: %v", name, err)
			}
		}
	})
}

func TestChangesInPlaceAreSeen(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		nick := "ace"
		p, team := &Place{Country: "de", Code: 1, Tags: []string{"a", "b"}}, &Team{ID: 1, Name: "red"}
		player := &Player{TeamID: 1, Name: "ann", Nick: &nick}
		check(t, s.AddAll(team, player, p), s.Commit(t.Context()))
		p.Tags[1] = "c"
		*player.Nick = "joker"
		if !s.IsModified(p) || !s.IsModified(player) {
			t.Error("a change behind a slice or a pointer was not seen")
		}
		check(t, s.Commit(t.Context()))
		fresh := db.session(t)
		if got := must(orm.GetOne[Place](t.Context(), fresh, orm.Key{"de", 1})); !slices.Equal(got.Tags, []string{"a", "c"}) {
			t.Errorf("%q", got.Tags)
		}
		if got := must(orm.GetOne[Player](t.Context(), fresh, player.ID)); *got.Nick != "joker" {
			t.Errorf("%q", *got.Nick)
		}
	})
}

// The side that refers brings in what it refers to; what is referred to does not
// bring in what refers to it.
func TestWhatAddBringsAlong(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t)
		a := &Author{Name: "ann"}
		d := &Draft{Title: "one", Author: a}
		check(t, s.Add(d))
		if !s.Contains(a) {
			t.Error("the author of a draft was not added with it")
		}
		check(t, s.Commit(t.Context()))
		stray := &Draft{Title: "two", Author: a}
		check(t, s.Add(a), s.Commit(t.Context()))
		if s.Contains(stray) || db.count(t, "SELECT count(*) FROM draft") != 1 {
			t.Error("a draft was added because its author was")
		}
		next := &Draft{Title: "three"}
		if err := s.AddAll(next, 7, &Draft{Title: "four"}); err == nil || !containsText(err, "object 1") {
			t.Errorf("the wrong one is not named: %v", err)
		}
		if got := slices.Collect(s.New()); len(got) != 1 || got[0] != any(next) {
			t.Errorf("new are %v, want what came before the wrong one", got)
		}
	})
}

func TestRowsThatAreGone(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		plain, kept := &Place{Country: "de", Code: 1}, &Place{Country: "fr", Code: 1}
		team := &Team{ID: 1, Name: "red"}
		counted := &Player{TeamID: 1, Name: "ann"}
		check(t, s.AddAll(plain, kept, team, counted), s.Commit(t.Context()))
		for _, text := range []string{"DELETE FROM place", "DELETE FROM player"} {
			check(t, second(db.Execute(t.Context(), engine.Text(text))))
		}
		check(t, s.Delete(t.Context(), plain), s.Commit(t.Context())) // which is what was wanted

		var stale *orm.StaleDataError
		kept.Tags = []string{"x"}
		if err := s.Commit(t.Context()); !errors.As(err, &stale) || stale.Table != "place" || !slices.Equal(stale.Key, orm.Key{"fr", int64(1)}) {
			t.Errorf("the update of a row that is gone: %v, %#v", err, stale)
		}
		check(t, s.Rollback(t.Context()), s.Delete(t.Context(), counted))
		if err := s.Commit(t.Context()); !errors.As(err, &stale) || stale.Table != "player" {
			t.Errorf("the delete of a row with a version that is gone: %v", err)
		}
		check(t, s.Rollback(t.Context()))
	})
}
