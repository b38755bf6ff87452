package orm_test

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// adding is a case that adds objects and flushes.
func adding(name string, objs func() []any) goldenCase {
	return goldenCase{name, func(ctx context.Context, s *orm.Session) (func() error, error) {
		return func() error { return s.Flush(ctx) }, s.AddAll(objs()...)
	}}
}

// changing is a case that flushes an object, lets it be changed, and flushes.
func changing[T any](name string, obj func() *T, change func(ctx context.Context, s *orm.Session, obj *T) error) goldenCase {
	return goldenCase{name, func(ctx context.Context, s *orm.Session) (func() error, error) {
		o := obj()
		if err := s.Add(o); err != nil {
			return nil, err
		}
		if err := s.Flush(ctx); err != nil {
			return nil, err
		}
		return func() error { return s.Flush(ctx) }, change(ctx, s, o)
	}}
}

// reading is a case that reads, in a transaction that has begun.
func reading(name string, read func(ctx context.Context, s *orm.Session) error) goldenCase {
	return goldenCase{name, func(ctx context.Context, s *orm.Session) (func() error, error) {
		if err := s.Add(library()); err != nil {
			return nil, err
		}
		if err := s.Flush(ctx); err != nil {
			return nil, err
		}
		s.ExpungeAll()
		return func() error { return read(ctx, s) }, nil
	}}
}

// library is an author with all there is.
func library() *Author {
	red, blue := &Tag{Word: "red"}, &Tag{Word: "blue"}
	return &Author{
		ID: 1, Name: "ann", Profile: &Profile{ID: 1, Text: "born"}, Drafts: []*Draft{{ID: 1, Title: "three"}},
		Books: []*Book{{ID: 1, Title: "one", Tags: []*Tag{red, blue}}, {ID: 2, Title: "two", Tags: []*Tag{blue}}},
	}
}

func place() *Place { return &Place{Country: "de", Code: 1, Tags: []string{"old"}} }

// squad is a team with its players.
func squad(n int) []any {
	objs := []any{&Team{ID: 1, Name: "red"}}
	for i := range n {
		objs = append(objs, &Player{TeamID: 1, Name: fmt.Sprint("player ", i)})
	}
	return objs
}

func goldenCases() []goldenCase {
	var out []goldenCase
	for _, part := range [][]goldenCase{goldenWrites(), goldenRelations(), goldenReads(), goldenTransactions()} {
		out = append(out, part...)
	}
	return out
}

func goldenWrites() []goldenCase {
	team := func() *Team { return &Team{ID: 1, Name: "red"} }
	return []goldenCase{
		adding("insert, the key generated", func() []any { return []any{&Team{Name: "red"}} }),
		adding("insert, the key given", func() []any { return []any{team()} }),
		adding("insert, a key of two columns", func() []any { return []any{place()} }),
		adding("insert, three rows with a default of the server", func() []any { return squad(3) }),
		adding("insert, a thousand rows", func() []any { return squad(1000) }),
		changing("update, one column of two", place, func(_ context.Context, _ *orm.Session, p *Place) error {
			p.Tags = []string{"new"}
			return nil
		}),
		changing("update, a part of the key", place, func(_ context.Context, _ *orm.Session, p *Place) error {
			p.Code = 2
			return nil
		}),
		goldenPlayers("update, with a version", func(_ context.Context, _ *orm.Session, ps []*Player) error {
			ps[0].Score = 1
			return nil
		}),
		goldenPlayers("update, three rows of two shapes", func(_ context.Context, _ *orm.Session, ps []*Player) error {
			ps[0].Score, ps[1].Score, ps[2].Name = 1, 2, "eve"
			return nil
		}),
		{"update, two exchange a unique value", func(ctx context.Context, s *orm.Session) (func() error, error) {
			red, blue := team(), &Team{ID: 2, Name: "blue"}
			if err := s.AddAll(red, blue); err != nil {
				return nil, err
			}
			if err := s.Flush(ctx); err != nil {
				return nil, err
			}
			red.Name, blue.Name = "blue", "red"
			return func() error { return s.Flush(ctx) }, nil
		}},
		goldenPlayers("delete, with a version", func(ctx context.Context, s *orm.Session, ps []*Player) error {
			return s.Delete(ctx, ps[0])
		}),
		changing("delete", place, func(ctx context.Context, s *orm.Session, p *Place) error { return s.Delete(ctx, p) }),
		changing("delete and add the same key", place, func(ctx context.Context, s *orm.Session, p *Place) error {
			if err := s.Delete(ctx, p); err != nil {
				return err
			}
			return s.Add(place())
		}),
		changing("delete and add the same unique value", team, func(ctx context.Context, s *orm.Session, t *Team) error {
			if err := s.Delete(ctx, t); err != nil {
				return err
			}
			return s.Add(&Team{ID: 2, Name: "red"})
		}),
		changing("a flush without a change", team, func(context.Context, *orm.Session, *Team) error { return nil }),
	}
}

// goldenPlayers is a case that changes three players.
func goldenPlayers(name string, change func(ctx context.Context, s *orm.Session, ps []*Player) error) goldenCase {
	return goldenCase{name, func(ctx context.Context, s *orm.Session) (func() error, error) {
		if err := s.AddAll(squad(3)...); err != nil {
			return nil, err
		}
		if err := s.Flush(ctx); err != nil {
			return nil, err
		}
		ps, err := orm.From[Player]().OrderBy("name").All(ctx, s)
		if err != nil {
			return nil, err
		}
		return func() error { return s.Flush(ctx) }, change(ctx, s, ps)
	}}
}

func goldenRelations() []goldenCase {
	return []goldenCase{
		adding("insert, a graph with given keys", func() []any { return []any{library()} }),
		adding("insert, a child with its parent's generated key", func() []any {
			return []any{&Author{Name: "ann", Books: []*Book{{Title: "one"}}}}
		}),
		adding("insert, a tree in one table", func() []any {
			return []any{&Worker{Name: "root", Team: []*Worker{{Name: "mid"}, {Name: "leaf"}}}}
		}),
		adding("insert, a circle", func() []any {
			one, two := &Worker{Name: "one"}, &Worker{Name: "two"}
			one.Boss, two.Boss = two, one
			return []any{one, two}
		}),
		changing("link", library, func(_ context.Context, _ *orm.Session, a *Author) error {
			a.Books[1].Tags = append(a.Books[1].Tags, a.Books[0].Tags[0])
			return nil
		}),
		changing("unlink", library, func(_ context.Context, _ *orm.Session, a *Author) error {
			a.Books[0].Tags = a.Books[0].Tags[:1]
			return nil
		}),
		changing("an orphan that is deleted, and one that is let go", library, func(_ context.Context, _ *orm.Session, a *Author) error {
			a.Books, a.Drafts = a.Books[:1], nil
			return nil
		}),
		changing("delete, with all it holds", library, func(ctx context.Context, s *orm.Session, a *Author) error {
			return s.Delete(ctx, a)
		}),
	}
}

func goldenReads() []goldenCase {
	return []goldenCase{
		reading("get", func(ctx context.Context, s *orm.Session) error { return second(orm.Get[Author](ctx, s, 1)) }),
		reading("get, for update", func(ctx context.Context, s *orm.Session) error {
			return second(orm.Get[Author](ctx, s, 1, orm.ForUpdate()))
		}),
		reading("get, which the session has", func(ctx context.Context, s *orm.Session) error {
			first, err := orm.Get[Author](ctx, s, 1)
			if err != nil {
				return err
			}
			again, err := orm.Get[Author](ctx, s, 1)
			if err == nil && first != again {
				err = fmt.Errorf("a row has two objects")
			}
			return err
		}),
		reading("get, a key of two columns", func(ctx context.Context, s *orm.Session) error {
			return second(orm.Get[Place](ctx, s, orm.Key{"de", 1}))
		}),
		reading("relations, read by joins", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Author]().Where("author.name = ?", "ann").WithJoined("Books.Tags", "Profile").OrderBy("author.name").All(ctx, s))
		}),
		reading("relations, read by joins to as many objects", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Author]().WithJoined("Books").OrderBy(&orm.From[Author]().Row().Name).Limit(2).All(ctx, s))
		}),
		reading("a relation, filled from a join", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Author]().Join("Books").Where("books.title = ?", "two").WithJoined("Books").All(ctx, s))
		}),
		reading("relations, read in one query each", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Author]().With("Books.Tags", "Profile", "Drafts").All(ctx, s))
		}),
		reading("joins", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Join("Author").LeftJoin("Tags").Where("author.name = ?", "ann").OrderBy("book.title").All(ctx, s))
		}),
		reading("conditions", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Where("title IN (?) OR author_id = ?", []string{"one", "two"}, 1).Where("id > ?", 0).All(ctx, s))
		}),
		reading("count", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Where("title <> ?", "one").Count(ctx, s))
		}),
		reading("count, of a join", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Join("Tags").Count(ctx, s))
		}),
		reading("exists", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Where("title <> ?", "one").Exists(ctx, s))
		}),
		reading("first", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().OrderBy("title").First(ctx, s))
		}),
		reading("one", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Where("title = ?", "one").One(ctx, s))
		}),
		reading("limit and offset", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().OrderBy("id").Limit(5).Offset(1).All(ctx, s))
		}),
		reading("offset alone", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().OrderBy("id").Offset(1).All(ctx, s))
		}),
		reading("for update", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().ForUpdate().All(ctx, s))
		}),
		reading("for update nowait", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().ForUpdateNoWait().All(ctx, s))
		}),
		reading("for update skip locked, of a join", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Join("Author").ForUpdateSkipLocked().All(ctx, s))
		}),
		reading("bulk update", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Book]().Where("author_id = ?", 1).Update(ctx, s, "title = ?", "same"))
		}),
		reading("bulk delete", func(ctx context.Context, s *orm.Session) error {
			return second(orm.From[Draft]().Where("author_id = ?", 1).Delete(ctx, s))
		}),
		reading("merge", func(ctx context.Context, s *orm.Session) error {
			if _, err := orm.Merge(ctx, s, &Author{ID: 1, Name: "eve", Drafts: []*Draft{{ID: 1, Title: "drei"}}}); err != nil {
				return err
			}
			return s.Flush(ctx)
		}),
		reading("refresh", func(ctx context.Context, s *orm.Session) error {
			b, err := orm.Get[Book](ctx, s, 1)
			if err != nil {
				return err
			}
			return s.Refresh(ctx, b, orm.Fields("Title", "Tags"))
		}),
	}
}

func goldenTransactions() []goldenCase {
	return []goldenCase{
		{"a commit, of one object", func(ctx context.Context, s *orm.Session) (func() error, error) {
			return func() error { return s.Commit(ctx) }, s.Add(&Worker{Name: "kept"})
		}},
		{"a commit, with nothing to write", func(ctx context.Context, s *orm.Session) (func() error, error) {
			w := &Worker{Name: "never"}
			if err := s.Add(w); err != nil {
				return nil, err
			}
			return func() error { return s.Commit(ctx) }, s.Expunge(w)
		}},
		{"savepoints", func(ctx context.Context, s *orm.Session) (func() error, error) {
			return func() error {
				released, err := s.BeginNested(ctx)
				if err != nil {
					return err
				}
				if err := s.Add(&Worker{Name: "two"}); err != nil {
					return err
				}
				if err := released.Commit(ctx); err != nil {
					return err
				}
				undone, err := s.BeginNested(ctx)
				if err != nil {
					return err
				}
				return undone.Rollback(ctx)
			}, s.Add(&Worker{Name: "one"})
		}},
		{"a flush that fails", func(ctx context.Context, s *orm.Session) (func() error, error) {
			return func() error {
				if err := s.Flush(ctx); err == nil {
					return fmt.Errorf("two rows have the same unique value")
				}
				return nil
			}, s.AddAll(&Team{ID: 1, Name: "red"}, &Team{ID: 2, Name: "red"})
		}},
		{"a text that is scanned into objects", func(ctx context.Context, s *orm.Session) (func() error, error) {
			return func() error {
				return second(orm.Scalars[*Worker](ctx, s, engine.Text("SELECT id, name FROM worker WHERE name = ?", "kept")))
			}, nil
		}},
	}
}
