package orm_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/orm"
)

// A pointer that is assigned again after its change was rolled back is a change.
func TestAPointerThatIsAssignedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Dorm)(nil), (*Bed)(nil)))
		ctx, s := t.Context(), db.session(t)
		a, b := &Dorm{ID: 1, Name: "a"}, &Dorm{ID: 2, Name: "b"}
		bed := &Bed{ID: 1, Dorm: a}
		check(t, s.Add(a), s.Add(b), s.Add(bed), s.Commit(ctx))
		must(orm.From[Bed]().With("Dorm").All(ctx, s))
		inB := func() int { return db.count(t, "SELECT COUNT(*) FROM bed WHERE dorm_id = 2") }

		bed.Dorm = b
		check(t, s.Flush(ctx), s.Rollback(ctx))
		if bed.Dorm != a {
			t.Error("after the rollback it holds what was not committed")
		}
		bed.Dorm = b // nothing was read since
		check(t, s.Commit(ctx))
		if inB() != 1 {
			t.Error("at once: the change is lost")
		}

		bed.Dorm = a
		check(t, s.Flush(ctx), s.Rollback(ctx))
		must(orm.Get[Bed](ctx, s, 1))
		if bed.Dorm != b || *bed.DormID != 2 {
			t.Error("what was read again holds another")
		}
		bed.Dorm = a
		check(t, s.Commit(ctx))
		if inB() != 0 {
			t.Error("after it was read: the change is lost")
		}

		sp := must(s.BeginNested(ctx))
		bed.Dorm = b
		inner := must(s.BeginNested(ctx))
		check(t, inner.Commit(ctx), sp.Rollback(ctx))
		bed.Dorm = b
		check(t, s.Commit(ctx))
		if inB() != 1 {
			t.Error("after a savepoint: the change is lost")
		}
	})
}

// A pointer follows a foreign key that others have changed, when that is read.
func TestAPointerFollowsWhatIsReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Dorm)(nil), (*Bed)(nil)))
		ctx, s, other := t.Context(), db.session(t), db.session(t)
		check(t, s.Add(&Bed{ID: 1, Dorm: &Dorm{ID: 1, Name: "a"}}), s.Add(&Dorm{ID: 2, Name: "b"}), s.Commit(ctx))
		bed := must(orm.From[Bed]().With("Dorm").One(ctx, s))
		check(t, s.Commit(ctx))
		must(orm.Get[Bed](ctx, other, 1)).Dorm = must(orm.Get[Dorm](ctx, other, 2))
		check(t, other.Commit(ctx))
		must(orm.From[Bed]().All(ctx, s))
		if bed.Dorm == nil || bed.Dorm.ID != 2 {
			t.Errorf("%+v", bed.Dorm)
		}
		assigned := must(orm.Get[Dorm](ctx, s, 1))
		check(t, s.Commit(ctx))
		bed.Dorm = assigned
		must(orm.From[Bed]().All(ctx, s))
		if bed.Dorm != assigned || *bed.DormID != 1 {
			t.Errorf("what was assigned is lost: %+v", bed)
		}
		check(t, s.Commit(ctx))
	})
}
