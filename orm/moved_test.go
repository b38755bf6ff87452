package orm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Owner's children go with it; Keeper's are owned, and those of Holder are
// paired.
type Owner struct {
	ID       int64
	Name     string
	Children []*Owned `orm:"rel:has-many,cascade:all"`
	Only     *Single  `orm:"rel:has-one,cascade:all+orphan"`
}

type Owned struct {
	ID      int64
	OwnerID *int64
	Word    string
	Owner   *Owner   `orm:"rel:belongs-to"`
	Parts   []*Piece `orm:"rel:has-many,cascade:all"`
}

type Piece struct {
	ID      int64
	OwnedID int64
}

type Single struct {
	ID      int64
	OwnerID *int64
	Owner   *Owner `orm:"rel:belongs-to"`
}

// family is two owners, of which the first has two children with a part each,
// and a single one.
type family struct {
	s        *orm.Session
	one, two *Owner
	a, b     *Owned // nil unless all is read
	single   *Single
}

// families reads them into a new session: with all relations, with the children
// alone, which are not known to their owner, or with all but the children.
func families(t *testing.T, db database, read string) *family {
	t.Helper()
	for _, table := range []string{"piece", "owned", "single", "owner"} {
		must(db.Execute(t.Context(), engine.Text("DELETE FROM "+table)))
	}
	s := db.session(t)
	one := &Owner{Name: "one", Only: &Single{}, Children: []*Owned{{Word: "a", Parts: []*Piece{{}}}, {Word: "b", Parts: []*Piece{{}}}}}
	check(t, s.Add(one), s.Flush(t.Context()), s.Add(&Owner{Name: "two"}), s.Commit(t.Context()), s.Close(t.Context()))
	q := orm.From[Owner]().OrderBy("id")
	if read == "all" {
		q = q.With("Children.Owner", "Children.Parts", "Only.Owner")
	}
	owners := must(q.All(t.Context(), s))
	children := must(orm.From[Owned]().OrderBy("id").All(t.Context(), s))
	single := must(orm.From[Single]().One(t.Context(), s))
	return &family{s, owners[0], owners[1], children[0], children[1], single}
}

// A child that has another owner when the flush comes stays, however it was
// given to it, and whatever was read.
func TestWhatWasGivenAwayStays(t *testing.T) {
	gives := map[string]func(f *family, to *Owner){
		"by foreign key": func(f *family, to *Owner) { f.a.OwnerID = &to.ID },
		"by pointer":     func(f *family, to *Owner) { f.a.Owner = to },
		"by the slice":   func(f *family, to *Owner) { to.Children = append(to.Children, f.a) },
		"by the slice, and taken out": func(f *family, to *Owner) {
			to.Children = append(to.Children, f.a)
			f.one.Children = slices.DeleteFunc(slices.Clone(f.one.Children), func(c *Owned) bool { return c == f.a })
		},
		"by both sides": func(f *family, to *Owner) { to.Children, f.a.Owner = append(to.Children, f.a), to },
		"by pointer, and taken out": func(f *family, to *Owner) {
			f.a.Owner = to
			f.one.Children = slices.DeleteFunc(slices.Clone(f.one.Children), func(c *Owned) bool { return c == f.a })
		},
	}
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Owner)(nil), (*Owned)(nil), (*Piece)(nil), (*Single)(nil)))
		for name, give := range gives {
			for _, read := range []string{"all", "children alone"} {
				for _, to := range []string{"one that is there", "a new one"} {
					for _, when := range []string{"before", "before, flushed", "after"} {
						if to == "a new one" && name == "by foreign key" && when != "before, flushed" {
							continue // it has no key yet
						}
						t.Run(fmt.Sprintf("%s, %s, to %s, %s the deletion", name, read, to, when), func(t *testing.T) {
							f := families(t, db, read)
							next := f.two
							if to == "a new one" {
								next = &Owner{Name: "new"}
								check(t, f.s.Add(next))
								if when == "before, flushed" {
									check(t, f.s.Flush(t.Context()))
								}
							}
							if when != "after" {
								give(f, next)
							}
							if when == "before, flushed" {
								check(t, f.s.Flush(t.Context()))
							}
							check(t, f.s.Delete(t.Context(), f.one))
							if when == "after" {
								give(f, next)
							}
							check(t, f.s.Commit(t.Context()))
							if db.count(t, "SELECT count(*) FROM owned WHERE word = 'a' AND owner_id = ?", next.ID) != 1 || !f.s.Contains(f.a) {
								t.Error("what was given away went with its old owner")
							}
							if n := db.count(t, "SELECT count(*) FROM piece"); n != 1 {
								t.Errorf("%d parts, want that of the one that stays", n)
							}
							if n := db.count(t, "SELECT count(*) FROM owned") + db.count(t, "SELECT count(*) FROM single"); n != 1 {
								t.Errorf("%d rows, want 1", n)
							}
							check(t, f.s.Close(t.Context()))
						})
					}
				}
			}
		}
	})
}

// An object that is added again after Delete is not deleted, nor is what would
// have gone with it.
func TestWhatIsAddedAgainStays(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Owner)(nil), (*Owned)(nil), (*Piece)(nil), (*Single)(nil)))
		rows := func() string {
			out := ""
			for _, table := range []string{"owner", "owned", "piece", "single"} {
				out += fmt.Sprint(db.count(t, "SELECT count(*) FROM "+table), " ")
			}
			return out
		}
		for name, c := range map[string]struct {
			do   func(f *family) error
			want string
		}{
			"its owner":  {func(f *family) error { return f.s.Add(f.one) }, "2 2 2 1 "},
			"a child":    {func(f *family) error { f.a.Owner = f.two; return f.s.Add(f.a) }, "1 1 1 0 "},
			"no one":     {func(*family) error { return nil }, "1 0 0 0 "},
			"the single": {func(f *family) error { f.two.Only = f.single; return f.s.Add(f.single) }, "1 0 0 1 "},
			"its owner, but a child is deleted by itself": {func(f *family) error {
				return errors.Join(f.s.Delete(context.Background(), f.a), f.s.Add(f.one))
			}, "2 1 1 1 "},
			"by another that takes all": {func(f *family) error {
				three := &Owner{Name: "three", Children: []*Owned{f.a, f.b}, Only: f.single}
				f.one.Children, f.one.Only = nil, nil
				return f.s.Add(three)
			}, "2 2 2 1 "},
			"its owner, which has lost a child": {func(f *family) error {
				f.one.Children = f.one.Children[:1]
				return f.s.Add(f.one)
			}, "2 2 2 1 "},
		} {
			f := families(t, db, "all")
			check(t, f.s.Delete(t.Context(), f.one), c.do(f), f.s.Commit(t.Context()))
			if got := rows(); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
			check(t, f.s.Close(t.Context()))
		}
	})
}

// A pending child that went with its owner is inserted after all if another one
// has it when the flush comes.
func TestWhatWasNeverInsertedIsGivenAway(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Owner)(nil), (*Owned)(nil), (*Piece)(nil), (*Single)(nil)))
		f := families(t, db, "all")
		fresh := &Owned{Word: "fresh"}
		f.one.Children = append(f.one.Children, fresh)
		check(t, f.s.Add(fresh), f.s.Delete(t.Context(), f.one))
		f.two.Children = append(f.two.Children, fresh)
		check(t, f.s.Commit(t.Context()))
		if db.count(t, "SELECT count(*) FROM owned WHERE word = 'fresh' AND owner_id = ?", f.two.ID) != 1 {
			t.Error("it was not inserted")
		}
	})
}

// An orphan that has come back by the time of the flush stays, also if a flush
// in between has failed.
func TestAnOrphanComesBack(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Owner)(nil), (*Owned)(nil), (*Piece)(nil), (*Single)(nil), (*Asker)(nil)))
		f := families(t, db, "all")
		f.one.Only = nil
		a := &Asker{Do: map[string]func(context.Context, *orm.Session) error{
			"before insert": func(context.Context, *orm.Session) error { return errors.New("not yet") },
		}}
		check(t, f.s.Add(a))
		if err := f.s.Flush(t.Context()); err == nil {
			t.Fatal("the hook was not called")
		}
		maps.DeleteFunc(a.Do, func(string, func(context.Context, *orm.Session) error) bool { return true })
		f.one.Only = f.single
		check(t, f.s.Commit(t.Context()))
		if db.count(t, "SELECT count(*) FROM single WHERE owner_id = ?", f.one.ID) != 1 {
			t.Error("it was deleted")
		}
		f.one.Only, f.single.Owner = nil, f.two // given by the pointer alone
		check(t, f.s.Commit(t.Context()))
		if db.count(t, "SELECT count(*) FROM single WHERE owner_id = ?", f.two.ID) != 1 {
			t.Error("what points to another owner went as an orphan")
		}
	})
}

// What others have deleted does not come back by a merge.
func TestMergeOfARowThatIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, _, _, _, _ := store(t, db)
		for name, from := range map[string]*Shelf{
			"itself":      {ID: 77, Label: "read at version 3", Version: 3},
			"what it has": {ID: 1, Label: "one", Items: []*Item{{ID: 77, Word: "gone", Version: 1}}},
		} {
			_, err := orm.Merge(t.Context(), s, from)
			stale, ok := errors.AsType[*orm.StaleDataError](err)
			if !ok || len(stale.Key) != 1 || stale.Key[0] != int64(77) {
				t.Errorf("%s: %v", name, err)
			}
			check(t, s.Rollback(t.Context()))
		}
		must(orm.Merge(t.Context(), s, &Shelf{ID: 78, Label: "new"})) // without a version it is new
		check(t, s.Commit(t.Context()))
		if db.count(t, "SELECT count(*) FROM shelf WHERE id IN (77, 78)") != 1 || db.count(t, "SELECT count(*) FROM item WHERE id = 77") != 0 {
			t.Error("a row is back that others had deleted")
		}
	})
}
