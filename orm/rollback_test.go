package orm_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/orm"
)

// An expired object is still the object of its row: what it says of its key and
// its version when it expires is not what the row says.
func TestExpiredObjectsKnowTheirRows(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()))
		p := &Player{TeamID: team.ID, Name: "ann"}
		de := &Place{Country: "de", Code: 1}
		check(t, s.AddAll(p, de), s.Commit(t.Context()))

		p.Name, de.Code = "bob", 2
		check(t, s.Flush(t.Context()), s.Rollback(t.Context()))
		p.Name, de.Tags = "cid", []string{"x"} // without a look at the rows
		if err := s.Commit(t.Context()); err != nil {
			t.Errorf("after a rollback of what was flushed: %v", err)
			check(t, s.Rollback(t.Context()))
		}
		if p.Version != 2 || de.Code != 1 {
			t.Errorf("%+v %+v", p, de)
		}

		de.Code = 3
		check(t, s.Expire(de))
		de.Tags = []string{"y"}
		if err := s.Commit(t.Context()); err != nil {
			t.Errorf("after an expiry: %v", err)
			check(t, s.Rollback(t.Context()))
		}
		de.Code = 4
		if err := s.Refresh(t.Context(), de); err != nil || de.Code != 1 {
			t.Errorf("refreshed: %v, %+v", err, de)
		}
		de.Code = 5
		check(t, s.Rollback(t.Context()))
		de.Tags = []string{"z"}
		if err := s.Commit(t.Context()); err != nil {
			t.Errorf("after a rollback of what was not flushed: %v", err)
			check(t, s.Rollback(t.Context()))
		}
		if got := must(orm.GetOne[Place](t.Context(), db.session(t), orm.Key{"de", 1})); len(got.Tags) != 1 || got.Tags[0] != "z" {
			t.Errorf("the row says %+v", got)
		}
	})
}

// A savepoint's rollback brings versions and keys back to what they were when it
// was set.
func TestASavepointsRollbackKnowsTheRows(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()))
		p := &Player{TeamID: team.ID, Name: "ann"}
		de := &Place{Country: "de", Code: 1}
		check(t, s.AddAll(p, de), s.Commit(t.Context()))
		p.Name, de.Code = "bob", 2
		outer := must(s.BeginNested(t.Context()))
		p.Name, de.Code = "cid", 3
		inner := must(s.BeginNested(t.Context()))
		p.Name, de.Code = "dan", 4
		check(t, s.Flush(t.Context()), inner.Commit(t.Context()))
		p.Name, de.Code = "eve", 5
		check(t, s.Flush(t.Context()), outer.Rollback(t.Context()))
		p.Score, de.Tags = 7, []string{"x"} // without a look at the rows
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM player WHERE score = 7 AND version = 3 AND name = 'bob'"); n != 1 {
			t.Errorf("%+v", p)
		}
		if n := db.count(t, "SELECT count(*) FROM place WHERE code = 2"); n != 1 || de.Code != 2 {
			t.Errorf("%+v", de)
		}
	})
}

// What was changed since a savepoint is read again after its rollback, flushed
// or not; what was not changed stays.
func TestASavepointsRollbackExpiresWhatWasChanged(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		a := novel(t, s)
		b := &Author{Name: "bob"}
		check(t, s.Add(b), s.Commit(t.Context()))
		a.Name = "before"
		n := must(s.BeginNested(t.Context()))
		one, two := a.Books[0], a.Books[1]
		a.Name, a.Books = "flushed", []*Book{two} // one is an orphan
		check(t, s.Flush(t.Context()))
		two.Title = "unflushed"
		check(t, n.Rollback(t.Context()))
		if !s.IsExpired(a) || !s.IsExpired(one) || !s.IsExpired(two) || s.IsExpired(b) || s.IsExpired(a.Drafts[0]) {
			t.Error("expired: ", s.IsExpired(a), s.IsExpired(one), s.IsExpired(two), s.IsExpired(b), s.IsExpired(a.Drafts[0]))
		}
		if s.IsModified(two) || len(must(orm.From[Book]().All(t.Context(), s))) != 2 || two.Title != "two" || !s.Contains(one) {
			t.Errorf("%+v", two)
		}
		if must(orm.Get[Author](t.Context(), s, a.ID)); a.Name != "before" {
			t.Errorf("the value from before the savepoint became %q", a.Name)
		}
		check(t, s.Delete(t.Context(), a), s.Commit(t.Context())) // with both books, or they would be in the way
		if n := db.count(t, "SELECT count(*) FROM book"); n != 0 {
			t.Errorf("%d books are left", n)
		}
	})
}
