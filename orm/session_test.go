package orm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/orm"
)

func TestObjectsBecomeRows(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team))
		if !s.InTransaction() || !s.Contains(team) || len(slices.Collect(s.New())) != 1 {
			t.Error("an object that was added is not pending in a transaction")
		}
		check(t, s.Flush(t.Context()))
		if team.ID == 0 {
			t.Fatal("the key was not read back")
		}
		nick := "ace"
		p := &Player{TeamID: team.ID, Name: "ann", Score: 1.5, Nick: &nick}
		check(t, s.AddAll(p), s.Commit(t.Context()))
		if p.ID == 0 || p.Version != 1 || s.InTransaction() {
			t.Errorf("after the commit: %+v", p)
		}
		if !s.IsExpired(p) {
			t.Error("a commit leaves objects that may have changed")
		}

		again := must(orm.Get[Player](t.Context(), s, p.ID))
		if again != p || s.IsExpired(p) || p.Since.IsZero() {
			t.Errorf("the row's object is %p, want %p, with the server's default: %+v", again, p, p)
		}
		since := p.Since
		check(t, s.Commit(t.Context())) // SQLite has one writer at a time
		other := must(orm.GetOne[Player](t.Context(), db.session(t), p.ID))
		if other == p || other.Name != "ann" || *other.Nick != "ace" || other.Score != 1.5 || !other.Since.Equal(since) {
			t.Errorf("another session reads %+v", other)
		}
		if n := db.count(t, "SELECT count(*) FROM player WHERE name = 'ann' AND team_id = ?", team.ID); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestOnlyWhatChangedIsSent(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()))
		p := &Player{TeamID: team.ID, Name: "ann"}
		check(t, s.Add(p), s.Commit(t.Context()))
		must(orm.Get[Player](t.Context(), s, p.ID))
		db.rec.take()

		check(t, s.Flush(t.Context()))
		db.sent(t)
		p.Name = "bob"
		if !s.IsModified(p) || len(slices.Collect(s.Dirty())) != 1 {
			t.Error("a change was not seen")
		}
		p.Name = "ann"
		if s.IsModified(p) {
			t.Error("what was changed back counts as a change")
		}
		p.Score = 2
		check(t, s.Commit(t.Context()))
		db.sent(t, "UPDATE player")
		if n := db.count(t, "SELECT version FROM player WHERE score = 2 AND name = 'ann'"); n != 2 || p.Version != 2 {
			t.Errorf("the version is %d in the database, %d in the object, want 2", n, p.Version)
		}
	})
}

func TestRowsAreWrittenInTheOrderOfTheirReferences(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		one, two := int64(1), int64(2)
		check(t, s.AddAll(&Player{ID: 7, TeamID: 5, Name: "ann"}, &Team{ID: 5, Name: "red"},
			&Node{ID: 3, Parent: &two}, &Node{ID: 2, Parent: &one}, &Node{ID: 1}))
		check(t, s.Commit(t.Context()))
		db.sent(t, "INSERT team", "INSERT player", "INSERT node", "INSERT node", "INSERT node")
		check(t, s.NoAutoflush(func() (err error) {
			for _, id := range []int64{1, 2, 3} {
				err = errors.Join(err, s.Delete(t.Context(), must(orm.GetOne[Node](t.Context(), s, id))))
			}
			return err
		}))
		check(t, s.NoAutoflush(func() error {
			return errors.Join(s.Delete(t.Context(), must(orm.GetOne[Team](t.Context(), s, 5))),
				s.Delete(t.Context(), must(orm.GetOne[Player](t.Context(), s, 7))))
		}))
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT (SELECT count(*) FROM node) + (SELECT count(*) FROM team) + (SELECT count(*) FROM player)"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestDeleteAndItsStates(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		if err := s.Delete(t.Context(), team); !errors.Is(err, orm.ErrInvalidState) {
			t.Errorf("a transient object was deleted: %v", err)
		}
		check(t, s.Add(team), s.Commit(t.Context()))
		check(t, s.Delete(t.Context(), team), s.Add(team), s.Flush(t.Context()))
		check(t, s.Delete(t.Context(), team), s.Delete(t.Context(), team))
		if got := must(orm.Get[Team](t.Context(), s, team.ID)); got != nil && got != team || len(slices.Collect(s.Deleted())) > 1 {
			t.Errorf("a row that is to be deleted has the object %p", got)
		}
		check(t, s.Flush(t.Context()))
		if s.Contains(team) || must(orm.Get[Team](t.Context(), s, team.ID)) != nil {
			t.Error("the row was deleted, and its object is still there")
		}
		if err := s.Add(team); !errors.Is(err, orm.ErrInvalidState) {
			t.Errorf("an object whose row was deleted was added: %v", err)
		}
		check(t, s.Rollback(t.Context()))
		if !s.Contains(team) || must(orm.Get[Team](t.Context(), s, team.ID)) != team {
			t.Error("the rollback did not bring the object back")
		}
		check(t, s.Delete(t.Context(), team), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team"); n != 0 || s.Contains(team) {
			t.Errorf("%d rows", n)
		}
	})
}

func TestRollbackBringsObjectsBack(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		kept := &Team{Name: "red"}
		check(t, s.Add(kept), s.Commit(t.Context()))
		must(orm.Get[Team](t.Context(), s, kept.ID))
		added := &Team{Name: "blue"}
		kept.Name = "crimson"
		check(t, s.Add(added), s.Flush(t.Context()))
		id := added.ID
		check(t, s.Rollback(t.Context()))
		if s.Contains(added) || added.ID != 0 || id == 0 {
			t.Errorf("an object that was added is still there, or has the key %d", added.ID)
		}
		if must(orm.Get[Team](t.Context(), s, kept.ID)) != kept || kept.Name != "red" {
			t.Errorf("the object says %q, the row says red", kept.Name)
		}
		check(t, s.Add(added), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team"); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestAFailedFlushRollsBackAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		check(t, s.Add(&Team{Name: "red"}), s.Commit(t.Context()))
		ok, twin := &Team{Name: "blue"}, &Team{Name: "red"}
		check(t, s.AddAll(ok, twin))
		err := s.Flush(t.Context())
		var violated *integrity.Error
		if !errors.As(err, &violated) || violated.Kind != integrity.Unique {
			t.Fatal(err)
		}
		if s.IsActive() || !s.InTransaction() {
			t.Error("the session does not say that its flush has failed")
		}
		for name, err := range map[string]error{
			"commit": s.Commit(t.Context()), "flush": s.Flush(t.Context()),
			"get": second(orm.Get[Team](t.Context(), s, 99)),
		} {
			if !errors.Is(err, orm.ErrPendingRollback) || !errors.As(err, &violated) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := db.count(t, "SELECT count(*) FROM team"); n != 1 {
			t.Errorf("%d rows", n)
		}
		check(t, s.Rollback(t.Context()))
		if !s.IsActive() || s.Contains(ok) || s.Contains(twin) || ok.ID != 0 {
			t.Error("the objects are not what they were before")
		}
		twin.Name = "green"
		check(t, s.AddAll(ok, twin), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team"); n != 3 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestSavepoints(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		outer := &Team{Name: "outer"}
		check(t, s.Add(outer))
		n := must(s.BeginNested(t.Context()))
		inner := &Team{Name: "inner"}
		outer.Name = "changed"
		check(t, s.Add(inner), s.Flush(t.Context()))
		if !s.InNestedTransaction() || !n.IsActive() {
			t.Error("there is no savepoint")
		}
		check(t, n.Rollback(t.Context()))
		if s.Contains(inner) || !s.Contains(outer) || s.InNestedTransaction() || n.IsActive() {
			t.Error("the savepoint's objects are not what they were")
		}
		if must(orm.Get[Team](t.Context(), s, outer.ID)); outer.Name != "outer" {
			t.Errorf("the object says %q", outer.Name)
		}
		if err := n.Commit(t.Context()); !errors.Is(err, engine.ErrTransactionClosed) {
			t.Error(err)
		}

		n = must(s.BeginNested(t.Context()))
		check(t, s.Add(inner), n.Commit(t.Context()))
		failing := must(s.BeginNested(t.Context()))
		check(t, s.Add(&Team{Name: "inner"}))
		if err := s.Flush(t.Context()); err == nil || s.IsActive() {
			t.Fatal("no error")
		}
		check(t, failing.Rollback(t.Context()), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team"); n != 2 || !s.Contains(inner) {
			t.Errorf("%d rows", n)
		}

		must(s.BeginNested(t.Context()))
		lost := &Team{Name: "lost"}
		check(t, s.Add(lost), s.Rollback(t.Context()))
		if s.Contains(lost) || s.InTransaction() {
			t.Error("a rollback leaves a savepoint")
		}
	})
}

func TestARowThatOthersChangedIsStale(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()))
		p := &Player{TeamID: team.ID, Name: "ann"}
		check(t, s.Add(p), s.Commit(t.Context()))
		mine := must(orm.Get[Player](t.Context(), s, p.ID))
		check(t, s.Commit(t.Context()))
		check(t, second(db.Execute(t.Context(), engine.Text("UPDATE player SET version = version + 1"))))
		mine.Name = "bob"
		err := s.Commit(t.Context())
		stale, ok := errors.AsType[*orm.StaleDataError](err)
		if !ok || stale.Table != "player" || stale.Rows != 0 {
			t.Fatal(err)
		}
		check(t, s.Rollback(t.Context()))
		must(orm.Get[Player](t.Context(), s, p.ID))
		mine.Name = "bob"
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT version FROM player WHERE name = 'bob'"); n != 3 {
			t.Errorf("the version is %d", n)
		}
	})
}

// TestOneOfManyRowsIsStale has as many changes as the database takes together.
func TestOneOfManyRowsIsStale(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		const n = 100
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()))
		for i := range n {
			check(t, s.Add(&Player{TeamID: team.ID, Name: "ann", Score: float64(i)}))
		}
		check(t, s.Commit(t.Context()))
		load := func() []*Player { return must(orm.From[Player]().OrderBy("id").All(t.Context(), s)) }
		change := func(name string) []*Player {
			players := load()
			for _, p := range players {
				p.Name = name
			}
			return players
		}
		players := change("bob")
		check(t, s.Commit(t.Context()))
		if got := db.count(t, "SELECT count(*) FROM player WHERE name = 'bob' AND version = 2"); got != n {
			t.Fatalf("%d players were changed", got)
		}
		load()
		check(t, s.Commit(t.Context())) // nothing is locked
		check(t, second(db.Execute(t.Context(), engine.Text("UPDATE player SET version = 7 WHERE id = ?", players[60].ID))))
		for _, p := range players {
			p.Name = "eve"
		}
		stale, ok := errors.AsType[*orm.StaleDataError](s.Commit(t.Context()))
		if !ok || stale.Rows != 0 || len(stale.Key) != 1 || stale.Key[0] != players[60].ID {
			t.Fatalf("%+v", stale)
		}
		check(t, s.Rollback(t.Context()))
		if got := db.count(t, "SELECT count(*) FROM player WHERE name = 'eve'"); got != 0 {
			t.Errorf("%d players were changed", got)
		}
		for _, p := range load() {
			check(t, s.Delete(t.Context(), p))
		}
		check(t, s.Commit(t.Context()))
		if got := db.count(t, "SELECT count(*) FROM player"); got != 0 {
			t.Errorf("%d players are left", got)
		}
	})
}

func TestExpiredObjectsAreReadWhenAskedFor(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Commit(t.Context()))
		check(t, second(db.Execute(t.Context(), engine.Text("UPDATE team SET name = 'blue'"))))
		if team.Name != "red" {
			t.Error("a field was written by nobody")
		}
		if must(orm.Get[Team](t.Context(), s, team.ID)); team.Name != "blue" {
			t.Errorf("the object says %q", team.Name)
		}
		team.Name = "lost"
		check(t, s.Expire(team))
		if s.IsModified(team) {
			t.Error("a change from before is still there")
		}
		team.Name = "kept"
		if must(orm.Get[Team](t.Context(), s, team.ID)); team.Name != "kept" {
			t.Errorf("a change from after was lost: %q", team.Name)
		}
		team.Name = "local"
		check(t, s.Refresh(t.Context(), team))
		if team.Name != "kept" {
			t.Errorf("refreshed, the object says %q", team.Name)
		}
		check(t, s.Commit(t.Context()), second(db.Execute(t.Context(), engine.Text("DELETE FROM team"))))
		if must(orm.Get[Team](t.Context(), s, team.ID)) != nil || s.Contains(team) {
			t.Error("an object without a row is still there")
		}
		if err := s.Refresh(t.Context(), team); !errors.Is(err, orm.ErrInvalidState) {
			t.Error(err)
		}
	})
}

func TestQueriesFlushFirst(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		check(t, s.Add(&Team{Name: "red"}))
		count := func() int {
			n := must(must(s.Execute(t.Context(), engine.Text("SELECT count(*) FROM team"))).One())
			var out int
			check(t, n.Scan(&out))
			return out
		}
		check(t, s.NoAutoflush(func() error {
			if n := count(); n != 0 {
				t.Errorf("%d rows, without a flush", n)
			}
			return nil
		}))
		if n := count(); n != 1 {
			t.Errorf("%d rows", n)
		}
		check(t, s.Add(&Team{Name: "red"}))
		_, err := s.Execute(t.Context(), engine.Text("SELECT 1"))
		if violated, ok := errors.AsType[*integrity.Error](err); !ok || violated.Kind != integrity.Unique {
			t.Error(err)
		}
	})
}

func TestUniqueValuesCanChangeHands(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		old := &Team{Name: "red"}
		check(t, s.Add(old), s.Commit(t.Context()))
		check(t, s.Delete(t.Context(), old), s.Add(&Team{Name: "red"}), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team"); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestARowCanChangeObjects(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		old := &Place{Country: "de", Code: 1, Tags: []string{"old"}}
		check(t, s.Add(old), s.Commit(t.Context()))
		db.rec.take()
		next := &Place{Country: "de", Code: 1, Tags: []string{"new"}}
		check(t, s.Delete(t.Context(), old), s.Add(next), s.Commit(t.Context()))
		db.sent(t, "UPDATE place")
		got := must(orm.GetOne[Place](t.Context(), s, orm.Key{"de", 1}))
		if got != next || !slices.Equal(got.Tags, []string{"new"}) || s.Contains(old) {
			t.Errorf("the row's object is %+v", got)
		}
	})
}

func TestKeysCanChange(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		p := &Place{Country: "de", Code: 1}
		check(t, s.Add(p), s.Commit(t.Context()))
		must(orm.Get[Place](t.Context(), s, orm.Key{"de", 1}))
		p.Code = 2
		check(t, s.Flush(t.Context()))
		if must(orm.Get[Place](t.Context(), s, orm.Key{"de", 2})) != p || must(orm.Get[Place](t.Context(), s, orm.Key{"de", 1})) != nil {
			t.Error("the object is not the one of its new key")
		}
		check(t, s.Rollback(t.Context()))
		if must(orm.Get[Place](t.Context(), s, orm.Key{"de", 1})) != p || p.Code != 1 {
			t.Errorf("after the rollback the object says %+v", p)
		}
		p.Code = 3
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT code FROM place"); n != 3 {
			t.Errorf("the row has the key %d", n)
		}
	})
}

func TestCloseAndAttach(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Commit(t.Context()))
		over, cancel := context.WithCancel(t.Context())
		cancel()
		check(t, s.Add(&Team{Name: "lost"}), s.Flush(t.Context()), s.Close(over))
		if s.Contains(team) || s.InTransaction() || db.count(t, "SELECT count(*) FROM team") != 1 {
			t.Error("a closed session holds on to something")
		}
		team.Name = "blue"
		check(t, s.Attach(team))
		team.Name = "green"
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM team WHERE name = 'green'"); n != 1 {
			t.Error("an object of another session was not updated")
		}
		if err := s.Attach(&Team{ID: team.ID}); !errors.Is(err, orm.ErrInvalidState) {
			t.Errorf("a row has two objects: %v", err)
		}
		check(t, s.Expunge(team))
		if err := s.Expunge(team); !errors.Is(err, orm.ErrInvalidState) || s.Contains(team) {
			t.Error(err)
		}
		check(t, s.Reset(t.Context()), s.Invalidate(t.Context()))
	})
}

func TestGetNeedsTheRightKey(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		for name, err := range map[string]error{
			"too few":  second(orm.Get[Place](t.Context(), s, "de")),
			"too many": second(orm.Get[Team](t.Context(), s, orm.Key{1, 2})),
			"wrong":    second(orm.Get[Team](t.Context(), s, "one")),
			"no type":  second(orm.Get[int](t.Context(), s, 1)),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if _, err := orm.GetOne[Team](t.Context(), s, 99); !errors.Is(err, engine.ErrNoResult) {
			t.Error(err)
		}
		for _, wrong := range []any{nil, 7, Team{}, (*Team)(nil)} {
			if err := s.Add(wrong); err == nil {
				t.Errorf("%T was added", wrong)
			}
		}
	})
}

func TestWithoutAutobeginATransactionIsBegun(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutAutobegin(), orm.WithoutExpireOnCommit())
		team := &Team{Name: "red"}
		if err := s.Add(team); !errors.Is(err, orm.ErrNoTransaction) {
			t.Error(err)
		}
		check(t, s.Begin(t.Context()), s.Add(team))
		if err := s.Begin(t.Context()); !errors.Is(err, engine.ErrTransactionBegun) {
			t.Error(err)
		}
		check(t, s.Commit(t.Context()))
		if s.IsExpired(team) || s.InTransaction() {
			t.Error("an option was lost")
		}
		check(t, s.Commit(t.Context()), s.Rollback(t.Context())) // nothing to do
	})
}

func TestEveryMethodIsACall(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite::memory:")
	s := db.session(t)
	team := &Team{Name: "red"}
	check(t, s.Add(team), s.Flush(t.Context()), s.Commit(t.Context()))
	must(orm.Get[Team](t.Context(), s, team.ID))
	s.IsModified(team)
	check(t, s.Expire(team), s.Delete(t.Context(), team), s.Rollback(t.Context()), s.Close(t.Context()))
	want := []string{
		"session.add", "session.flush", "session.commit", "session.get", "session.is_modified",
		"session.expire", "session.delete", "session.rollback", "session.close",
	}
	if !slices.Equal(db.rec.methods, want) {
		t.Errorf("the chain saw %v, want %v", db.rec.methods, want)
	}
}

func TestAHitAllocatesNothing(t *testing.T) {
	eng := must(engine.Open(t.Context(), "sqlite::memory:"))
	defer eng.Dispose()
	check(t, second(eng.Execute(t.Context(), engine.Text(schema[eng.Dialect().System][0]))))
	s := orm.NewSession(eng, orm.WithoutExpireOnCommit())
	team := &Team{ID: 4711, Name: "red"}
	check(t, s.Add(team), s.Commit(t.Context()))
	ctx := t.Context()
	for name, get := range map[string]func() (*Team, error){
		"get":     func() (*Team, error) { return orm.Get[Team](ctx, s, int64(4711)) },
		"get one": func() (*Team, error) { return orm.GetOne[Team](ctx, s, int64(4711)) },
	} {
		if n := alloctest.PerRun(100, func() {
			if got, err := get(); got != team || err != nil {
				t.Fatal(got, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	check(t, s.Close(t.Context()))
}

func second[T any](_ T, err error) error { return err }
