package orm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

func TestMergeCopiesOntoTheSessionsObject(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		check(t, s.Add(&Team{ID: 1, Name: "red"}), s.Flush(t.Context()))
		p := &Player{TeamID: 1, Name: "ann", Score: 1}
		check(t, s.Add(p), s.Commit(t.Context()))

		from := &Player{ID: p.ID, TeamID: 1, Name: "bob"}
		got := must(orm.Merge(t.Context(), s, from))
		if got != p || p.Name != "bob" || p.Score != 0 || p.Since.IsZero() || s.Contains(from) {
			t.Errorf("merged: %+v", got)
		}
		must(orm.Merge(t.Context(), s, &Player{ID: p.ID, Name: "cid", Score: 7}, orm.MergeFields("Score")))
		if p.Name != "bob" || p.Score != 7 {
			t.Errorf("of one field: %+v", p)
		}
		must(orm.Merge(t.Context(), s, &Player{ID: p.ID, Name: "dan"}, orm.MergeNonZero()))
		if p.Name != "dan" || p.Score != 7 {
			t.Errorf("of what is not zero: %+v", p)
		}
		var stale *orm.StaleDataError
		if _, err := orm.Merge(t.Context(), s, &Player{ID: p.ID, Version: 9}); !errors.As(err, &stale) {
			t.Errorf("a version that is not the row's: %v", err)
		}
		if _, err := orm.Merge(t.Context(), s, &Player{ID: p.ID}, orm.MergeFields("Weight")); err == nil {
			t.Error("a field that does not exist was merged")
		}

		added := must(orm.Merge(t.Context(), s, &Player{TeamID: 1, Name: "eve"}))
		gone := must(orm.Merge(t.Context(), s, &Player{ID: 999, TeamID: 1, Name: "fay"}))
		if added.ID == 0 || !slices.Contains(slices.Collect(s.New()), any(gone)) { // reading the row of the second has flushed the first
			t.Error("what has no row is not new")
		}
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM player WHERE name IN ('dan', 'eve', 'fay')"); n != 3 || gone.ID != 999 {
			t.Errorf("%d rows", n)
		}

		fresh := db.session(t)
		db.rec.take()
		same := must(orm.Merge(t.Context(), fresh, p, orm.NoLoad()))
		if same == p || same.Name != "dan" || len(db.rec.take()) != 0 {
			t.Error("what is not to be loaded was")
		}
		same.Score = 8
		check(t, fresh.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM player WHERE score = 8"); n != 1 {
			t.Error("the change was not sent")
		}
	})
}

func TestMergeReplacesWhatARelationHolds(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		a := novel(t, db.session(t, orm.WithoutExpireOnCommit()))
		s := db.session(t, orm.WithoutExpireOnCommit())
		from := &Author{ID: a.ID, Name: "ann", Books: []*Book{{ID: a.Books[0].ID, AuthorID: a.ID, Title: "uno"}, {Title: "tre"}}}
		got := must(orm.Merge(t.Context(), s, from))
		check(t, s.Commit(t.Context()))
		if len(got.Books) != 2 || got.Books[0].Title != "uno" || got.Books[1].ID == 0 {
			t.Errorf("%+v", got.Books)
		}
		if n := db.count(t, "SELECT count(*) FROM book WHERE title IN ('uno', 'tre')"); n != 2 || db.count(t, "SELECT count(*) FROM book") != 2 {
			t.Error("what the relation no longer holds is still there")
		}
		if n := db.count(t, "SELECT count(*) FROM draft WHERE author_id IS NOT NULL"); n != 1 {
			t.Error("a relation that was nil was changed")
		}
	})
}

// What holds an object says what it belongs to: a foreign key that was left out
// takes nothing away.
func TestMergeLeavesKeysToTheirRelations(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		old := db.session(t, orm.WithoutExpireOnCommit())
		a, b := novel(t, old), &Author{Name: "bob"}
		check(t, old.Add(b), old.Commit(t.Context()))
		d, book := a.Drafts[0], a.Books[0]
		s := db.session(t, orm.WithoutExpireOnCommit())
		got := must(orm.Merge(t.Context(), s, &Author{
			ID: a.ID, Name: "eve", Profile: &Profile{ID: a.Profile.ID, Text: "reborn"},
			Books: []*Book{{ID: book.ID, Title: "uno"}, {ID: a.Books[1].ID, Title: "due"}}, Drafts: []*Draft{{ID: d.ID, Title: "tre"}},
		}))
		check(t, s.Commit(t.Context()))
		if len(got.Drafts) != 1 || *got.Drafts[0].AuthorID != a.ID || got.Books[0].AuthorID != a.ID || got.Profile.AuthorID != a.ID {
			t.Errorf("merged with what it holds: %+v", got)
		}
		if n := db.count(t, `SELECT count(*) FROM draft d JOIN book b ON b.author_id = d.author_id JOIN profile p ON p.author_id = d.author_id
			WHERE d.title = 'tre' AND b.title IN ('uno', 'due') AND p.text = 'reborn'`); n != 2 {
			t.Errorf("%d rows", n)
		}
		check(t, s.Commit(t.Context()))

		moved := must(orm.Merge(t.Context(), s, &Draft{ID: d.ID, Title: "tre", Author: &Author{ID: b.ID, Name: "bob"}}))
		check(t, s.Commit(t.Context()))
		if *moved.AuthorID != b.ID || db.count(t, "SELECT author_id FROM draft") != int(b.ID) {
			t.Errorf("merged with another author: %+v", moved)
		}
		check(t, s.Commit(t.Context()))
		must(orm.Merge(t.Context(), s, &Draft{ID: d.ID, Title: "tre"}))
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM draft WHERE author_id IS NULL"); n != 1 {
			t.Error("without a relation the key that was left out is no key")
		}
	})
}

// Note counts what it is told, and writes a line for each change.
type Note struct {
	ID   int64
	Text string
	Log  []string `orm:"-"`
	Fail string   `orm:"-"`
}

type Line struct {
	ID   int64
	Text string
}

func (n *Note) told(what string) error {
	n.Log = append(n.Log, what)
	if n.Fail == what {
		return errors.New("refused")
	}
	return nil
}

func (n *Note) BeforeInsert(_ context.Context, s *orm.Session) error {
	n.Text += "!"
	return errors.Join(s.Add(&Line{Text: n.Text}), n.told("before insert"))
}
func (n *Note) AfterInsert(context.Context, *orm.Session) error  { return n.told("after insert") }
func (n *Note) BeforeUpdate(context.Context, *orm.Session) error { return n.told("before update") }
func (n *Note) AfterUpdate(context.Context, *orm.Session) error  { return n.told("after update") }
func (n *Note) BeforeDelete(context.Context, *orm.Session) error { return n.told("before delete") }
func (n *Note) AfterDelete(context.Context, *orm.Session) error  { return n.told("after delete") }
func (n *Note) AfterLoad(context.Context, *orm.Session) error    { return n.told("after load") }

func TestHooks(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Note)(nil), (*Line)(nil)))
		s := db.session(t)
		n := &Note{Text: "one"}
		check(t, s.Add(n), s.Commit(t.Context()))
		must(orm.Get[Note](t.Context(), s, n.ID))
		n.Text = "two"
		check(t, s.Flush(t.Context()), s.Flush(t.Context()))
		check(t, s.Delete(t.Context(), n), s.Commit(t.Context()))
		want := []string{"before insert", "after insert", "after load", "before update", "after update", "before delete", "after delete"}
		if !slices.Equal(n.Log, want) {
			t.Errorf("told %q, want %q", n.Log, want)
		}
		if db.count(t, "SELECT count(*) FROM line WHERE text = 'one!'") != 1 {
			t.Error("what a hook added was not inserted")
		}
		bad := &Note{Fail: "after insert"}
		check(t, s.Add(bad))
		if err := s.Flush(t.Context()); err == nil || s.IsActive() {
			t.Errorf("a hook that fails after the fact: %v", err)
		}
		check(t, s.Rollback(t.Context()))
		bad.Fail = "before insert"
		check(t, s.Add(bad))
		if err := s.Flush(t.Context()); err == nil || !s.IsActive() || !s.Contains(bad) {
			t.Errorf("a hook that fails before anything is sent: %v", err)
		}
	})
}

func TestScalarsAndQueries(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		check(t, s.AddAll(&Team{Name: "red"}, &Team{Name: "blue"}))
		names := must(orm.Scalars[string](t.Context(), s, engine.Text("SELECT name FROM team ORDER BY name")))
		if !slices.Equal(names, []string{"blue", "red"}) {
			t.Errorf("%q, without what was added", names)
		}
		n, ok, err := orm.Scalar[int](t.Context(), s, engine.Text("SELECT id FROM team WHERE name = 'green'"))
		if n != 0 || ok || err != nil {
			t.Errorf("no row: %d %v %v", n, ok, err)
		}
		none, ok, err := orm.Scalar[*string](t.Context(), s, engine.Text("SELECT CAST(NULL AS CHAR(1))"))
		if none != nil || !ok || err != nil {
			t.Errorf("NULL: %v %v %v", none, ok, err)
		}
		team, ok, err := orm.Scalar[*Team](t.Context(), s, engine.Text("SELECT * FROM team WHERE name = 'red'"))
		if err != nil || !ok || !s.Contains(team) {
			t.Errorf("an object: %+v %v %v", team, ok, err)
		}
		q := orm.NewQuery[Team](s).Filter("name <> ?", "blue").OrderBy("name")
		all := must(q.All(t.Context()))
		if len(all) != 1 || all[0] != team || must(q.Count(t.Context())) != 1 || must(q.First(t.Context())) != team || must(q.One(t.Context())) != team {
			t.Errorf("the query finds %v", all)
		}
		if len(must(q.Offset(1).Limit(3).All(t.Context()))) != 0 {
			t.Error("the offset was not heeded")
		}
	})
}

func TestBulkChangesAreSeen(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		a, b := &Team{Name: "red"}, &Team{Name: "blue"}
		check(t, s.AddAll(a, b))
		n := must(orm.From[Team]().Where("name = ?", "red").Update(t.Context(), s, "name = ?", "crimson"))
		if n != 1 || must(orm.Get[Team](t.Context(), s, a.ID)).Name != "crimson" || a.Name != "crimson" {
			t.Errorf("%d rows, %+v", n, a)
		}
		n = must(orm.From[Team]().Where("name = ?", "blue").Delete(t.Context(), s))
		if n != 1 || must(orm.Get[Team](t.Context(), s, b.ID)) != nil || s.Contains(b) {
			t.Errorf("%d rows, and the object is still there", n)
		}
		if _, err := orm.From[Team]().Limit(1).Delete(t.Context(), s); err == nil {
			t.Error("a delete with bounds was sent")
		}
	})
}

func TestPartsOfAnObject(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		a := novel(t, s)
		b := a.Books[0]
		b.Title, b.AuthorID = "uno", 999
		check(t, s.Expire(b, "AuthorID"))
		b.AuthorID = a.ID
		check(t, s.Flush(t.Context()))
		if n := db.seen(t, s, "SELECT count(*) FROM book WHERE title = 'uno'"); n != 1 {
			t.Error("the change of another field was forgotten")
		}
		if err := s.Expire(b, "Weight"); !errors.Is(err, orm.ErrInvalidState) {
			t.Error("a field that does not exist was expired")
		}
		must(s.Execute(t.Context(), engine.Text("UPDATE book SET title = 'due' WHERE id = ?", b.ID)))
		must(s.Execute(t.Context(), engine.Text("DELETE FROM draft")))
		a.Name = "eve"
		check(t, s.Refresh(t.Context(), a, orm.Fields("Drafts")), s.Refresh(t.Context(), b, orm.Fields("Title")))
		if b.Title != "due" || a.Name != "eve" || len(a.Drafts) != 0 {
			t.Errorf("refreshed: %+v %+v", a, b)
		}
	})
}

func TestCascadesOfExpungeAndRefresh(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		a := novel(t, s)
		check(t, s.Expire(a))
		if !s.IsExpired(a.Profile) || s.IsExpired(a.Books[0]) {
			t.Error("expiry did not go on to the profile alone")
		}
		check(t, s.Expunge(a))
		if s.Contains(a.Profile) || !s.Contains(a.Books[0]) {
			t.Error("expunging did not go on to the profile alone")
		}
	})
}
