package orm_test

import (
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/orm"
)

// What a query changes is what the session's objects say, and only those whose
// rows were changed are looked at.
func TestChangedRowsAndTheirObjects(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx, s := t.Context(), db.session(t, orm.WithoutExpireOnCommit())
		team := &Team{Name: "one"}
		check(t, s.Add(team), s.Flush(ctx))
		var all []*Player
		for _, name := range []string{"a", "b", "c", "d"} {
			all = append(all, &Player{TeamID: team.ID, Name: name, Score: 1})
			check(t, s.Add(all[len(all)-1]))
		}
		check(t, s.Commit(ctx))
		must(orm.From[Player]().All(ctx, s))
		a, b, c, d := all[0], all[1], all[2], all[3]
		returns := db.Dialect().System != sp.MariaDB
		some := orm.From[Player]().Where("name IN (?, ?)", "a", "b")

		b.Nick = new("kept")
		check(t, s.NoAutoflush(func() error {
			n, err := some.Update(ctx, s, "score = score + ?, nick = ?", 1, "theirs")
			if n != 2 {
				t.Errorf("%d rows", n)
			}
			return err
		}))
		if s.IsExpired(c) || s.IsExpired(a) == returns || returns && (a.Score != 2 || *a.Nick != "theirs" || b.Score != 2) || *b.Nick != "kept" {
			t.Errorf("after an update: %+v, %+v, expired %t, %t", a, b, s.IsExpired(a), s.IsExpired(c))
		}
		must(orm.Get[Player](ctx, s, a.ID))
		if a.Score != 2 || s.IsModified(a) || returns && !s.IsModified(b) {
			t.Errorf("%+v", a)
		}
		check(t, s.Rollback(ctx))
		if !s.IsExpired(a) {
			t.Error("the rollback leaves what was undone")
		}
		must(orm.From[Player]().All(ctx, s))
		if a.Score != 1 {
			t.Errorf("after the rollback: %+v", a)
		}

		// A key that the text changes.
		was := a.ID
		must(orm.From[Player]().Where("name = ?", "a").Update(ctx, s, "ID = ID + 100"))
		if !s.IsExpired(a) || s.IsExpired(b) {
			t.Error("what has another key is not read again, or what has not is")
		}
		if gone := must(orm.Get[Player](ctx, s, was)); gone != nil || s.Contains(a) {
			t.Error("the object of a key that is gone")
		}
		check(t, s.Rollback(ctx))

		must(orm.From[Player]().All(ctx, s))
		n := must(orm.From[Player]().Where("name IN (?, ?)", "c", "d").Delete(ctx, s))
		if n != 2 || s.Contains(c) || s.Contains(d) || !s.Contains(b) || s.IsExpired(b) || must(orm.Get[Player](ctx, s, c.ID)) != nil {
			t.Errorf("after a delete of %d", n)
		}
		check(t, s.Rollback(ctx))
		if !s.Contains(c) || must(orm.Get[Player](ctx, s, c.ID)) != c {
			t.Error("the rollback has not brought it back")
		}
	})
}

// Objects are left when that is asked for, and where there are none nothing more
// is sent than the statement.
func TestChangedRowsAlone(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx, s := t.Context(), db.session(t, orm.WithoutExpireOnCommit())
		team := &Team{Name: "one"}
		check(t, s.Add(team), s.Flush(ctx))
		b := &Player{TeamID: team.ID, Name: "b", Score: 1}
		check(t, s.Add(b), s.Commit(ctx))
		must(orm.From[Player]().All(ctx, s))
		must(orm.From[Player]().LeaveObjects().Update(ctx, s, "score = 9"))
		if s.IsExpired(b) || b.Score != 1 {
			t.Error("an object that was to be left")
		}
		s.ExpungeAll()
		db.rec.take()
		must(orm.From[Player]().Update(ctx, s, "score = 8"))
		if sent := db.rec.take(); len(sent) != 1 {
			t.Errorf("without objects: %q", sent)
		}
		check(t, s.Rollback(ctx))
	})
}
