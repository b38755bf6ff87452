package orm_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// store is a session with two shelves, of which the first has an item with a
// mark.
func store(t *testing.T, db database) (s *orm.Session, one, two *Shelf, it *Item, mark *Mark) {
	t.Helper()
	check(t, orm.CreateAll(t.Context(), db, (*Shelf)(nil), (*Item)(nil), (*Mark)(nil)))
	s = db.session(t, orm.WithoutExpireOnCommit())
	mark = &Mark{ID: 1, Word: "red"}
	it = &Item{ID: 1, Word: "cup", Marks: []*Mark{mark}}
	one, two = &Shelf{ID: 1, Label: "one", Items: []*Item{it}}, &Shelf{ID: 2, Label: "two"}
	check(t, s.AddAll(one, two), s.Commit(t.Context()))
	return s, one, two, it, mark
}

func TestARowThatChangesObjectsKeepsItsLinks(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, one, _, it, mark := store(t, db)
		next := &Item{ID: 1, Word: "mug", Marks: []*Mark{mark}}
		check(t, s.Delete(t.Context(), it))
		one.Items = []*Item{next}
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM item_mark JOIN item ON item.id = item_id WHERE word = 'mug' AND version = 2"); n != 1 {
			t.Errorf("%d links, want 1", n)
		}
	})
}

func TestWhatWasNeverInsertedGoesWithItsOwner(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, one, two, _, mark := store(t, db)
		pot := &Item{ID: 2, Word: "pot"}
		one.Items = append(one.Items, pot)
		mark.Items = append(mark.Items, pot) // who does not own it
		check(t, s.Add(one))
		if !s.Contains(pot) {
			t.Fatal("the cascade did not go on")
		}
		one.Items = one.Items[:1]
		check(t, s.Flush(t.Context()))
		if s.Contains(pot) {
			t.Error("what was taken out before it was inserted is there")
		}
		check(t, s.Flush(t.Context())) // the mark has not added it again

		pan := &Item{ID: 3, Word: "pan", Marks: []*Mark{mark}}
		two.Items = []*Item{pan}
		mark.Items = append(mark.Items, pan)
		check(t, s.Add(two), s.Delete(t.Context(), two))
		if s.Contains(pan) {
			t.Error("what goes with its owner counts as pending")
		}
		for obj := range s.New() {
			t.Errorf("%T is new", obj)
		}
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM item"); n != 1 {
			t.Errorf("%d items, want 1", n)
		}
	})
}

func TestWhatHasMovedDoesNotGoWithItsOldOwner(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, one, two, it, _ := store(t, db)
		one.Items, two.Items = nil, []*Item{it}
		check(t, s.Delete(t.Context(), one), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM item WHERE shelf_id = 2"); n != 1 || !s.Contains(it) {
			t.Fatal("what was given to another went with its old owner")
		}
		three := &Shelf{ID: 3}
		two.Items, three.Items = nil, []*Item{it}
		check(t, s.Add(three), s.Flush(t.Context()))
		two.Items, three.Items = []*Item{it}, nil // and back, to one that goes
		check(t, s.Delete(t.Context(), two), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM item"); n != 0 {
			t.Error("what was given to an owner that goes stays")
		}
	})
}

func TestMergeFlushesFirstAndNothingHalfMerged(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, _, _, it, _ := store(t, db)
		check(t, s.Expire(it)) // so that it is read in the middle of the merge
		got := must(orm.Merge(t.Context(), s, &Shelf{ID: 1, Label: "uno", Items: []*Item{{ID: 2, Word: "new"}, {ID: 1, Word: "old"}}}))
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM item WHERE shelf_id = 1"); n != 2 || got.Version != 2 {
			t.Errorf("%d items, version %d", n, got.Version)
		}
		check(t, s.Delete(t.Context(), got))
		again := must(orm.Merge(t.Context(), s, &Shelf{ID: 1, Label: "eins"}))
		if again == got {
			t.Error("merged into an object that was to be deleted")
		}
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM shelf WHERE label = 'eins' AND version = 1"); n != 1 {
			t.Error("what was merged after the deletion was lost")
		}
	})
}

// What a savepoint's rollback may have undone is read again, also if it was
// only read, or only followed from the other side.
func TestASavepointsRollbackExpiresWhatWasSeen(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, one, two, it, mark := store(t, db)
		n := must(s.BeginNested(t.Context()))
		must(s.Execute(t.Context(), engine.Text("UPDATE shelf SET label = 'due' WHERE id = 2")))
		check(t, s.Refresh(t.Context(), two))
		it.Marks = nil
		check(t, s.Flush(t.Context()))
		if len(mark.Items) != 0 || two.Label != "due" {
			t.Fatalf("%v %q", mark.Items, two.Label)
		}
		check(t, n.Rollback(t.Context()))
		if !s.IsExpired(two) || !s.IsExpired(mark) || s.IsExpired(one) {
			t.Error("expired: ", s.IsExpired(two), s.IsExpired(mark), s.IsExpired(one))
		}
		must(orm.From[Mark]().With("Items").All(t.Context(), s))
		if must(orm.Get[Shelf](t.Context(), s, 2)); two.Label != "two" || len(mark.Items) != 1 || mark.Items[0] != it {
			t.Errorf("%q, %v", two.Label, mark.Items)
		}
	})
}

// A rollback brings an object back to its row: another one that had taken its
// place in the transaction has none.
func TestARollbackLeavesOneObjectForARow(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, _, two, _, _ := store(t, db)
		check(t, s.Delete(t.Context(), two), s.Flush(t.Context()))
		next := &Shelf{ID: 2, Label: "next"}
		check(t, s.Add(next), s.Flush(t.Context()), s.Expunge(next))
		seen := must(orm.GetOne[Shelf](t.Context(), s, 2))
		check(t, s.Rollback(t.Context()))
		if got := must(orm.Get[Shelf](t.Context(), s, 2)); got != two || s.Contains(seen) || two.Label != "two" {
			t.Errorf("%+v, and the other is there: %t", got, s.Contains(seen))
		}
		three := &Shelf{ID: 3}
		check(t, s.Add(three), s.Flush(t.Context()), s.Expunge(three))
		seen = must(orm.GetOne[Shelf](t.Context(), s, 3))
		check(t, s.Rollback(t.Context()))
		if s.Contains(seen) {
			t.Error("an object is there whose row never was")
		}
		check(t, s.Delete(t.Context(), two), s.Flush(t.Context()))
		next = &Shelf{ID: 2, Label: "next"}
		check(t, s.Add(next), s.Flush(t.Context()), s.Expunge(next))
		seen = must(orm.GetOne[Shelf](t.Context(), s, 2))
		check(t, s.Delete(t.Context(), seen), s.Flush(t.Context()), s.Rollback(t.Context()))
		if got := must(orm.Get[Shelf](t.Context(), s, 2)); got != two || s.Contains(seen) {
			t.Error("of two objects of a row that were deleted, the wrong one is back")
		}
		check(t, s.Delete(t.Context(), two), s.Flush(t.Context()))
		s.ExpungeAll()
		check(t, s.Rollback(t.Context()))
		if got := must(orm.Get[Shelf](t.Context(), s, 2)); got == two || !s.Contains(got) {
			t.Error("an object is back that the session had let go")
		}
	})
}

// With reads a relation again that holds an object which has to be read.
func TestWithReadsWhatIsExpired(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, one, _, it, _ := store(t, db)
		must(s.Execute(t.Context(), engine.Text("UPDATE item SET word = 'bowl'")))
		check(t, s.Expire(it), orm.Load(t.Context(), s, []*Shelf{one}, "Items"))
		if it.Word != "bowl" || s.IsExpired(it) {
			t.Errorf("%+v", it)
		}
	})
}
