package orm_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

type Bookcase struct {
	ID    int64
	Name  string
	Books []*Volume `orm:"rel:has-many,cascade:save+merge+delete+orphan"`
}

type Volume struct {
	ID         int64
	BookcaseID int64
	Title      string
	Version    int       `orm:",version"`
	Bookcase   *Bookcase `orm:"rel:belongs-to"`
}

// bookcaseOf returns a session on a database in memory with one bookcase of two
// volumes, and a function that closes both.
func bookcaseOf(ctx context.Context) (s *orm.Session, done func()) {
	eng, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	if err := orm.CreateAll(ctx, eng, (*Bookcase)(nil), (*Volume)(nil)); err != nil {
		log.Fatal(err)
	}
	s = orm.NewSession(eng)
	if err := s.Add(&Bookcase{Name: "novels", Books: []*Volume{{Title: "Emma"}, {Title: "Dracula"}}}); err != nil {
		log.Fatal(err)
	}
	if err := s.Commit(ctx); err != nil {
		log.Fatal(err)
	}
	s.ExpungeAll()
	return s, func() {
		_ = s.Close(ctx)
		_ = eng.Dispose()
	}
}

func ExampleFrom() {
	ctx := context.Background()
	s, done := bookcaseOf(ctx)
	defer done()

	cases, err := orm.From[Bookcase]().Where("name LIKE ?", "n%").With("Books").All(ctx, s) // two queries
	if err != nil {
		log.Fatal(err)
	}
	for _, book := range cases[0].Books {
		fmt.Println(book.Title, "in", cases[0].Name)
	}
	n, err := orm.From[Volume]().Join("Bookcase").Where("bookcase.name = ?", "novels").Count(ctx, s)
	fmt.Println(n, err)
	// Output:
	// Emma in novels
	// Dracula in novels
	// 2 <nil>
}

// What a relation of orphans no longer holds is deleted, what is new in it is
// inserted, in one flush.
func ExampleSession_Flush() {
	ctx := context.Background()
	s, done := bookcaseOf(ctx)
	defer done()

	bookcase, err := orm.From[Bookcase]().With("Books").One(ctx, s)
	if err != nil {
		log.Fatal(err)
	}
	bookcase.Books = append(bookcase.Books[:1], &Volume{Title: "Ulysses"})
	if err := s.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	titles, err := orm.Scalars[string](ctx, s, engine.Text("SELECT title FROM volume ORDER BY id"))
	fmt.Println(titles, err)
	// Output: [Emma Ulysses] <nil>
}

// A savepoint undoes a part of the transaction; the objects follow.
func ExampleSession_BeginNested() {
	ctx := context.Background()
	s, done := bookcaseOf(ctx)
	defer done()

	volume, err := orm.Get[Volume](ctx, s, 1)
	if err != nil {
		log.Fatal(err)
	}
	nested, err := s.BeginNested(ctx)
	if err != nil {
		log.Fatal(err)
	}
	volume.Title = "Persuasion"
	if err := s.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	if err := nested.Rollback(ctx); err != nil {
		log.Fatal(err)
	}
	if err := s.Refresh(ctx, volume); err != nil {
		log.Fatal(err)
	}
	fmt.Println(volume.Title)
	// Output: Emma
}

// An object that came from elsewhere is copied onto the session's own.
func ExampleMerge() {
	ctx := context.Background()
	s, done := bookcaseOf(ctx)
	defer done()

	sent := &Volume{ID: 2, Title: "Dracula's Guest"}
	merged, err := orm.Merge(ctx, s, sent, orm.MergeFields("Title"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(merged == sent, merged.Title, merged.BookcaseID, s.Commit(ctx))
	// Output: false Dracula's Guest 1 <nil>
}

// Two sessions change the same row: the second learns that it lost.
func ExampleStaleDataError() {
	ctx := context.Background()
	s, done := bookcaseOf(ctx)
	defer done()

	volume, err := orm.Get[Volume](ctx, s, 1)
	if err != nil {
		log.Fatal(err)
	}
	// Somebody else was faster.
	if _, err := s.Execute(ctx, engine.Text("UPDATE volume SET title = 'Sanditon', version = version + 1 WHERE id = 1")); err != nil {
		log.Fatal(err)
	}
	volume.Title = "Persuasion"
	err = s.Commit(ctx)
	var stale *orm.StaleDataError
	fmt.Println(errors.As(err, &stale))
	// Output: true
}
