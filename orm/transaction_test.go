package orm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/orm"
)

func TestWithoutAutobeginNothingBegins(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutAutobegin())
		team := &Team{ID: 1, Name: "red"}
		check(t, s.Attach(team)) // nothing of which reaches the database
		for name, err := range map[string]error{
			"add":          s.Add(&Team{}),
			"add all":      s.AddAll(&Team{}),
			"delete":       s.Delete(t.Context(), team),
			"get":          second(orm.Get[Team](t.Context(), s, 2)),
			"get one":      second(orm.GetOne[Team](t.Context(), s, 2)),
			"merge":        second(orm.Merge(t.Context(), s, &Team{ID: 2})),
			"refresh":      s.Refresh(t.Context(), team),
			"execute":      second(s.Execute(t.Context(), engine.Text("SELECT 1"))),
			"scalars":      second(orm.Scalars[int](t.Context(), s, engine.Text("SELECT 1"))),
			"select":       second(orm.From[Team]().All(t.Context(), s)),
			"count":        second(orm.From[Team]().Count(t.Context(), s)),
			"begin nested": second(s.BeginNested(t.Context())),
			"connection":   second(s.Connection(t.Context())),
		} {
			if !errors.Is(err, orm.ErrNoTransaction) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := orm.Get[Team](t.Context(), s, 1); got != team || err != nil {
			t.Errorf("what the session has: %v, %v", got, err)
		}
		if s.InTransaction() || len(db.rec.take()) != 0 {
			t.Error("something was sent")
		}
	})
}

func TestAFlushWithoutAChangeBeginsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		check(t, s.Flush(t.Context()), s.Commit(t.Context()), s.Rollback(t.Context()))
		if s.InTransaction() || s.Transaction() != nil || s.NestedTransaction() != nil || s.Bind() != db.Engine {
			t.Error("there is a transaction")
		}
		must(orm.Get[Team](t.Context(), s, 1)) // a miss
		tx := s.Transaction()
		if !s.InTransaction() || !tx.IsActive() {
			t.Fatal("a miss does not begin")
		}
		conn := must(s.Connection(t.Context()))
		if !conn.InTransaction() && db.Dialect().System != sp.SQLite || conn != must(s.Connection(t.Context())) {
			t.Error("the connection is not that of the transaction")
		}
		check(t, tx.Commit(t.Context()))
		for name, err := range map[string]error{"commit": tx.Commit(t.Context()), "rollback": tx.Rollback(t.Context())} {
			if !errors.Is(err, engine.ErrTransactionClosed) || tx.IsActive() {
				t.Errorf("%s after the end: %v", name, err)
			}
		}
	})
}

func TestAStatementThatFailsLeavesTheSessionActive(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		team := &Team{Name: "red"}
		check(t, s.Add(team), s.Flush(t.Context()))
		if _, err := s.Execute(t.Context(), engine.Text("INSERT INTO team (id, name) VALUES (99, 'red')")); err == nil || !s.IsActive() {
			t.Fatalf("the session is active: %t, after %v", s.IsActive(), err)
		}
		_, err := s.Execute(t.Context(), engine.Text("SELECT 1"))
		if aborts := db.Dialect().System == sp.PostgreSQL; aborts != errors.Is(err, engine.ErrTxAborted) || !aborts && err != nil {
			t.Errorf("the next one: %v", err)
		}
		check(t, s.Rollback(t.Context()))
		if s.Contains(team) || team.ID != 0 {
			t.Error("the rollback left what was flushed before")
		}
	})
}

func TestWhatABrokenAutoflushSays(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		check(t, s.AddAll(&Team{ID: 1, Name: "red"}, &Team{ID: 2, Name: "red"}))
		_, err := orm.From[Team]().All(t.Context(), s)
		if violated, ok := errors.AsType[*integrity.Error](err); !ok || violated.Kind != integrity.Unique || !containsText(err, "autoflush") {
			t.Errorf("%v does not say that it comes from an autoflush", err)
		}
		check(t, s.Rollback(t.Context()))
	})
}

func TestWhatSavepointsHandOn(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		kept, gone := &Team{ID: 1, Name: "kept"}, &Team{ID: 2, Name: "gone"}
		check(t, s.AddAll(kept, gone), s.Commit(t.Context()))
		must(orm.From[Team]().All(t.Context(), s))

		outer := &Team{ID: 3, Name: "outer"}
		check(t, s.Add(outer))
		n := must(s.BeginNested(t.Context())) // flushes first
		db.sent(t, "INSERT team", "INSERT team", "INSERT team")
		if s.NestedTransaction() == nil || !s.NestedTransaction().IsActive() || !s.Transaction().IsActive() {
			t.Error("there is no savepoint")
		}
		inner := &Team{ID: 4, Name: "inner"}
		kept.Name = "changed"
		check(t, s.Add(inner), s.Delete(t.Context(), gone), n.Commit(t.Context()))
		if s.InNestedTransaction() || !s.InTransaction() || s.IsExpired(kept) || s.IsExpired(inner) || s.Contains(gone) {
			t.Error("a savepoint that is released expires something, or does not flush")
		}
		check(t, s.Rollback(t.Context()))
		if s.Contains(outer) || s.Contains(inner) || !s.Contains(gone) || must(orm.Get[Team](t.Context(), s, 1)) != kept || kept.Name != "kept" {
			t.Error("the rollback left something of the savepoint")
		}
		if got := must(orm.Get[Team](t.Context(), s, 2)); got != gone {
			t.Errorf("the row that is back has the object %p, want %p", got, gone)
		}
	})
}

func TestSavepointsEndWithWhatIsAroundThem(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t)
		outer := must(s.BeginNested(t.Context()))
		check(t, s.Add(&Team{Name: "one"}))
		inner := must(s.BeginNested(t.Context()))
		check(t, s.Add(&Team{Name: "two"}), outer.Rollback(t.Context()))
		for name, err := range map[string]error{"commit": inner.Commit(t.Context()), "rollback": inner.Rollback(t.Context()), "again": outer.Rollback(t.Context())} {
			if !errors.Is(err, engine.ErrTransactionClosed) || inner.IsActive() {
				t.Errorf("%s: %v", name, err)
			}
		}
		outer = must(s.BeginNested(t.Context()))
		check(t, s.Add(&Team{Name: "three"}))
		inner = must(s.BeginNested(t.Context()))
		check(t, s.Add(&Team{Name: "four"}), s.Commit(t.Context()))
		if outer.IsActive() || inner.IsActive() || s.InTransaction() {
			t.Error("the commit left a savepoint")
		}
		if n := db.count(t, "SELECT count(*) FROM team"); n != 2 {
			t.Errorf("%d rows, want three and four", n)
		}

		failing := must(s.BeginNested(t.Context()))
		check(t, s.Add(&Team{Name: "four"}))
		if err := s.Flush(t.Context()); err == nil || s.IsActive() || !failing.IsActive() {
			t.Fatal("two rows have one name")
		}
		if _, err := s.Execute(t.Context(), engine.Text("SELECT 1")); !errors.Is(err, orm.ErrPendingRollback) {
			t.Errorf("before the rollback: %v", err)
		}
		check(t, s.Rollback(t.Context())) // of all
		if s.InTransaction() || !s.IsActive() || failing.IsActive() {
			t.Error("the rollback left something")
		}
	})
}

// Busy is flushed by a hook of its own, or changed by one for ever.
type Busy struct {
	ID      int64
	Count   int
	Flushed error `orm:"-"`
	Endless bool  `orm:"-"`
}

func (b *Busy) AfterInsert(ctx context.Context, s *orm.Session) error {
	b.Flushed = s.Flush(ctx)
	return nil
}

func (b *Busy) AfterUpdate(context.Context, *orm.Session) error {
	if b.Endless {
		b.Count++
	}
	return nil
}

func TestHooksCanNotFlushForEver(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Busy)(nil)))
		s := db.session(t, orm.WithoutExpireOnCommit())
		b := &Busy{}
		check(t, s.Add(b), s.Commit(t.Context()))
		if !errors.Is(b.Flushed, orm.ErrFlush) {
			t.Errorf("a flush within a flush: %v", b.Flushed)
		}
		b.Endless, b.Count = true, 1
		if err := s.Commit(t.Context()); !errors.Is(err, orm.ErrFlush) {
			t.Errorf("a change after each flush: %v", err)
		}
		check(t, s.Rollback(t.Context()))
		if n := db.count(t, "SELECT count FROM busy"); n != 0 {
			t.Errorf("the row says %d", n)
		}
	})
}

// Of a table, updates come first, by key, then inserts, by addition; deletes
// come last, and tables that are referred to around them.
func TestTheOrderOfAFlush(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		teams := []*Team{{ID: 3, Name: "c"}, {ID: 1, Name: "a"}, {ID: 2, Name: "b"}}
		for _, team := range teams {
			check(t, s.Add(team))
		}
		p := &Player{ID: 1, TeamID: 1, Name: "ann"}
		check(t, s.Add(p), s.Commit(t.Context()))
		db.rec.take()
		check(t, s.Delete(t.Context(), teams[2]), s.AddAll(&Player{ID: 9, TeamID: 4, Name: "bob"}, &Team{ID: 4, Name: "d"}))
		teams[0].Name, teams[1].Name, p.Score = "cc", "aa", 1
		check(t, s.Flush(t.Context()))
		db.sent(t, "UPDATE team", "UPDATE team", "INSERT team", "UPDATE player", "INSERT player", "DELETE team")
		check(t, s.Commit(t.Context()))
		got := must(orm.Scalars[string](t.Context(), s, engine.Text("SELECT name FROM team ORDER BY id")))
		if !slices.Equal(got, []string{"aa", "cc", "d"}) {
			t.Errorf("%q", got)
		}
	})
}
