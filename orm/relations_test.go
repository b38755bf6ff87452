package orm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/orm"
)

type Author struct {
	ID      int64
	Name    string
	Profile *Profile `orm:"rel:has-one,cascade:all+orphan"`
	Books   []*Book  `orm:"rel:has-many,cascade:save+merge+delete+orphan"`
	Drafts  []*Draft `orm:"rel:has-many"`
}

type Profile struct {
	ID       int64
	AuthorID int64 `orm:",references:author"`
	Text     string
}

type Book struct {
	ID       int64
	AuthorID int64 `orm:",references:author"`
	Title    string
	Author   *Author `orm:"rel:belongs-to"`
	Tags     []*Tag  `orm:"rel:many-to-many,through:book_tag"`
}

type Draft struct {
	ID       int64
	AuthorID *int64 `orm:",references:author"`
	Title    string
	Author   *Author `orm:"rel:belongs-to"`
}

type Tag struct {
	ID    int64
	Word  string  `orm:",unique"`
	Books []*Book `orm:"rel:many-to-many,through:book_tag"`
}

// Worker refers to another one, whose key is not known before it is inserted.
type Worker struct {
	ID     int64
	Name   string
	BossID *int64
	Boss   *Worker   `orm:"rel:belongs-to"`
	Team   []*Worker `orm:"rel:has-many,fk:boss_id"`
}

// Hen and Egg can't be without each other.
type Hen struct {
	ID    int64
	EggID int64
	Egg   *Egg `orm:"rel:belongs-to"`
}

type Egg struct {
	ID    int64
	HenID int64
	Hen   *Hen `orm:"rel:belongs-to"`
}

// withLibrary runs a test on each database, with the tables of relations.
func withLibrary(t *testing.T, test func(t *testing.T, db database)) {
	onEach(t, func(t *testing.T, db database) {
		check(t, orm.CreateAll(t.Context(), db, (*Author)(nil), (*Profile)(nil), (*Book)(nil), (*Draft)(nil), (*Tag)(nil), (*Worker)(nil), (*Hen)(nil), (*Egg)(nil)))
		db.rec.take()
		test(t, db)
	})
}

// novel adds an author with all there is, and commits.
func novel(t *testing.T, s *orm.Session) *Author {
	t.Helper()
	red, blue := &Tag{Word: "red"}, &Tag{Word: "blue"}
	a := &Author{
		Name: "ann", Profile: &Profile{Text: "born"},
		Books:  []*Book{{Title: "one", Tags: []*Tag{red, blue}}, {Title: "two", Tags: []*Tag{blue}}},
		Drafts: []*Draft{{Title: "three"}},
	}
	check(t, s.Add(a))
	if n := len(slices.Collect(s.New())); n != 7 {
		t.Fatalf("%d objects are new, want 7", n)
	}
	check(t, s.Commit(t.Context()))
	return a
}

func TestAGraphIsInsertedWithItsKeys(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t)
		a := novel(t, s)
		db.sent(t, "INSERT author", "INSERT profile", "INSERT book", "INSERT book", "INSERT tag", "INSERT tag", "INSERT draft",
			"INSERT book_tag", "INSERT book_tag", "INSERT book_tag")
		if a.ID == 0 || a.Profile.AuthorID != a.ID || a.Books[1].AuthorID != a.ID || *a.Drafts[0].AuthorID != a.ID {
			t.Errorf("the keys are not in the objects: %+v", a)
		}
		if n := db.count(t, `SELECT count(*) FROM book b JOIN author a ON a.id = b.author_id JOIN book_tag bt ON bt.book_id = b.id
			JOIN tag t ON t.id = bt.tag_id WHERE a.name = 'ann'`); n != 3 {
			t.Errorf("%d rows", n)
		}
		check(t, s.Flush(t.Context()))
		db.sent(t)
	})
}

func TestRelationsAreReadInOneQueryEach(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		novel(t, db.session(t))
		second := &Author{Name: "bob", Books: []*Book{{Title: "four"}}}
		s := db.session(t)
		check(t, s.Add(second), s.Commit(t.Context()))

		s = db.session(t)
		db.rec.take()
		authors := must(orm.From[Author]().OrderBy("name").With("Books.Tags", "Profile", "Drafts", "Books.Author").All(t.Context(), s))
		if got := len(db.rec.take()); got != 5 {
			t.Errorf("%d queries, want 5: authors, books, tags, profiles, drafts", got)
		}
		ann, bob := authors[0], authors[1]
		if len(ann.Books) != 2 || len(ann.Books[0].Tags) != 2 || len(ann.Books[1].Tags) != 1 || ann.Books[0].Tags[1] != ann.Books[1].Tags[0] ||
			ann.Profile.Text != "born" || ann.Drafts[0].Title != "three" || ann.Books[0].Author != ann {
			t.Errorf("the first author is %+v", ann)
		}
		if len(bob.Books) != 1 || bob.Books[0].Tags == nil || len(bob.Books[0].Tags) != 0 || bob.Profile != nil {
			t.Errorf("the second author is %+v", bob)
		}
		check(t, s.Flush(t.Context()))
		db.sent(t)
		drafts := must(orm.From[Draft]().All(t.Context(), s))
		check(t, orm.Load(t.Context(), s, drafts, "Author"))
		if drafts[0].Author != ann || len(db.rec.take()) != 1 {
			t.Error("an object that the session has was read again")
		}
		if err := orm.Load(t.Context(), s, drafts, "Writer"); err == nil {
			t.Error("a relation that does not exist was read")
		}
	})
}

func TestQueriesJoinRelations(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		novel(t, db.session(t))
		s := db.session(t)
		books := must(orm.From[Book]().Join("Author").Where("author.name = ?", "ann").OrderBy("book.title").All(t.Context(), s))
		if len(books) != 2 || books[0].Title != "one" {
			t.Errorf("%d books", len(books))
		}
		tagged := orm.From[Author]().Join("Books.Tags").Where("books_tags.word IN (?, ?)", "red", "blue")
		authors := must(tagged.Limit(5).All(t.Context(), s))
		if n := must(tagged.Count(t.Context(), s)); len(authors) != 1 || n != 1 || !must(tagged.Exists(t.Context(), s)) {
			t.Errorf("%d authors, counted %d: a row of many was counted more than once", len(authors), n)
		}
		idle := must(orm.From[Author]().LeftJoin("Drafts").Where("drafts.id IS NULL").All(t.Context(), s))
		if len(idle) != 0 {
			t.Errorf("%d authors have no drafts", len(idle))
		}
		if _, err := orm.From[Book]().Join("Writer").All(t.Context(), s); err == nil {
			t.Error("a relation that does not exist was joined")
		}
	})
}

func TestMovesAndOrphans(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		a := novel(t, s)
		b := &Author{Name: "bob"}
		check(t, s.Add(b), s.Flush(t.Context()))
		db.rec.take()

		one, two := a.Books[0], a.Books[1]
		a.Books, b.Books = nil, []*Book{two} // one is an orphan, two has another author
		a.Drafts, a.Profile = nil, nil
		check(t, s.Flush(t.Context()))
		db.sent(t, "DELETE book_tag", "UPDATE book", "UPDATE draft", "DELETE book", "DELETE profile")
		if two.AuthorID != b.ID || s.Contains(one) {
			t.Errorf("the book is of %d, want %d", two.AuthorID, b.ID)
		}
		if n := db.seen(t, s, "SELECT (SELECT count(*) FROM draft WHERE author_id IS NULL) + 10 * (SELECT count(*) FROM book)"); n != 11 {
			t.Errorf("drafts and books: %d, want 11", n)
		}
		check(t, s.Rollback(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM book"); n != 2 || !s.Contains(one) || !s.IsExpired(one) {
			t.Errorf("after the rollback there are %d books", n)
		}
	})
}

func TestPointerAndKeyHaveToAgree(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		a := novel(t, s)
		b, c := &Author{Name: "bob"}, &Author{Name: "cid"}
		check(t, s.AddAll(b, c), s.Commit(t.Context()))
		d := a.Drafts[0]
		d.Author = b // the pointer alone
		check(t, s.Flush(t.Context()))
		if *d.AuthorID != b.ID {
			t.Errorf("the draft is of %d, want %d", *d.AuthorID, b.ID)
		}
		d.AuthorID = &c.ID // the key alone
		check(t, s.Flush(t.Context()))
		if n := db.seen(t, s, "SELECT author_id FROM draft"); int64(n) != c.ID {
			t.Errorf("the draft is of %d, want %d", n, c.ID)
		}
		d.Author, d.AuthorID = a, &b.ID
		if err := s.Flush(t.Context()); !errors.Is(err, orm.ErrFlush) {
			t.Errorf("a pointer and a key that disagree: %v", err)
		}
		check(t, s.Rollback(t.Context()))
		must(orm.GetOne[Draft](t.Context(), s, d.ID))
		d.Author, d.AuthorID = nil, nil
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM draft WHERE author_id IS NULL"); n != 1 {
			t.Error("the draft still has an author")
		}
	})
}

func TestDeleteGoesOn(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		id := novel(t, db.session(t)).ID
		s := db.session(t)
		a := must(orm.GetOne[Author](t.Context(), s, id))
		check(t, s.Delete(t.Context(), a))
		if n := len(slices.Collect(s.Deleted())); n != 4 {
			t.Errorf("%d objects go, want author, profile and two books", n)
		}
		db.rec.take()
		check(t, s.Commit(t.Context()))
		db.sent(t, "DELETE book_tag", "DELETE book_tag", "UPDATE draft", "DELETE book", "DELETE book", "DELETE profile", "DELETE author")
		if n := db.count(t, "SELECT (SELECT count(*) FROM tag) + (SELECT count(*) FROM draft WHERE author_id IS NULL)"); n != 3 {
			t.Errorf("%d tags and drafts stay, want 3", n)
		}
	})
}

func TestManyToManyFromBothSides(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		a := novel(t, s)
		one, two := a.Books[0], a.Books[1]
		red := one.Tags[0]
		two.Tags, red.Books = append(two.Tags, red), []*Book{one, two} // both sides say so
		db.rec.take()
		check(t, s.Flush(t.Context()))
		db.sent(t, "INSERT book_tag")
		two.Tags = []*Tag{red}
		check(t, s.Flush(t.Context()))
		db.sent(t, "DELETE book_tag")
		check(t, s.Delete(t.Context(), red), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM book_tag"); n != 1 {
			t.Errorf("%d pairs, want 1", n)
		}
	})
}

func TestTreesAndCircles(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		leaf := &Worker{Name: "leaf"}
		mid := &Worker{Name: "mid", Team: []*Worker{leaf}}
		root := &Worker{Name: "root", Team: []*Worker{mid}}
		check(t, s.AddAll(leaf, mid, root), s.Flush(t.Context()))
		if *leaf.BossID != mid.ID || *mid.BossID != root.ID || root.BossID != nil {
			t.Errorf("%+v %+v %+v", leaf, mid, root)
		}
		one, two := &Worker{Name: "one"}, &Worker{Name: "two"}
		one.Boss, two.Boss = two, one
		self := &Worker{Name: "self"}
		self.Boss = self
		db.rec.take()
		check(t, s.AddAll(one, two, self), s.Commit(t.Context()))
		if *one.BossID != two.ID || *two.BossID != one.ID || *self.BossID != self.ID {
			t.Errorf("%+v %+v %+v", one, two, self)
		}
		db.sent(t, "INSERT worker", "INSERT worker", "INSERT worker", "UPDATE worker", "UPDATE worker")
		check(t, s.Flush(t.Context()))
		db.sent(t)
		if n := db.count(t, "SELECT count(*) FROM worker w JOIN worker b ON b.id = w.boss_id"); n != 5 {
			t.Errorf("%d workers have a boss, want 5", n)
		}
		for _, w := range []*Worker{one, two, self, root, mid, leaf} {
			check(t, s.Delete(t.Context(), w))
		}
		check(t, s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM worker"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestACircleThatNothingOpens(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t)
		hen := &Hen{Egg: &Egg{}}
		hen.Egg.Hen = hen
		check(t, s.Add(hen))
		err := s.Flush(t.Context())
		if !errors.Is(err, orm.ErrCircularDependency) || !errors.Is(err, orm.ErrFlush) {
			t.Fatal(err)
		}
		if want := "hen → egg → hen"; !containsText(err, want) && !containsText(err, "egg → hen → egg") {
			t.Errorf("%v does not show the path", err)
		}
		if _, err := orm.Get[Hen](t.Context(), s, 1); !errors.Is(err, orm.ErrPendingRollback) || !errors.Is(err, orm.ErrCircularDependency) || s.IsActive() {
			t.Errorf("the session goes on after a flush that failed: %v", err)
		}
		check(t, s.Rollback(t.Context()))
		hen.Egg = nil
		if s.Contains(hen) || !s.IsActive() {
			t.Error("the session is not what it was before the objects were added")
		}
	})
}

func TestRollbackAndRelations(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := db.session(t, orm.WithoutExpireOnCommit())
		a := &Author{Name: "ann", Books: []*Book{{Title: "one"}}}
		check(t, s.Add(a), s.Flush(t.Context()), s.Rollback(t.Context()))
		book := a.Books[0]
		if a.ID != 0 || book.ID != 0 || book.AuthorID != 0 || s.Contains(book) {
			t.Errorf("after the rollback: %+v, %+v", a, book)
		}
		check(t, s.Add(a), s.Commit(t.Context()))
		if book.AuthorID != a.ID || a.ID == 0 {
			t.Errorf("added again: %+v, %+v", a, book)
		}
		extra := &Book{Title: "two"}
		a.Books = append(a.Books, extra)
		check(t, s.Flush(t.Context()), s.Rollback(t.Context()))
		check(t, s.Flush(t.Context()))
		if s.Contains(extra) {
			t.Error("what a rollback undid came back by itself")
		}
		check(t, s.Add(extra), s.Commit(t.Context()))
		if n := db.count(t, "SELECT count(*) FROM book WHERE author_id = ?", a.ID); n != 2 {
			t.Errorf("%d books, want 2", n)
		}
	})
}
