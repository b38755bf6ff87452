package orm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/expr"
)

// shelved adds two authors, with books and tags, and forgets them.
func shelved(t *testing.T, db database) *orm.Session {
	t.Helper()
	s := db.session(t)
	red, blue := &Tag{Word: "red"}, &Tag{Word: "blue"}
	check(t, s.AddAll(
		&Author{Name: "ann", Profile: &Profile{Text: "born"}, Books: []*Book{{Title: "one", Tags: []*Tag{red, blue}}, {Title: "two", Tags: []*Tag{blue}}}},
		&Author{Name: "bob", Books: []*Book{{Title: "three"}}},
		&Author{Name: "cal"},
	), s.Commit(t.Context()))
	s.ExpungeAll()
	db.rec.take()
	return s
}

// told writes authors with what they hold.
func told(authors []*Author) string {
	var out []string
	for _, a := range authors {
		text := a.Name
		if a.Profile != nil {
			text += " " + a.Profile.Text
		}
		for _, b := range a.Books {
			text += " " + b.Title
			for _, tag := range b.Tags {
				text += "/" + tag.Word
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// TestRelationsAreReadByAJoin is that WithJoined reads what With reads, in one
// statement.
func TestRelationsAreReadByAJoin(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := shelved(t, db)
		q := orm.From[Author]().OrderBy("author.name")
		a := q.Row()
		for name, c := range map[string]struct {
			joined, with orm.Select[Author]
		}{
			"many":            {q.WithJoined(&a.Books), q.With("Books")},
			"one":             {q.WithJoined("Profile"), q.With("Profile")},
			"several":         {q.WithJoined("Books.Tags", &a.Profile), q.With("Books.Tags", "Profile")},
			"with a limit":    {q.WithJoined("Books.Tags").Limit(2).Offset(0), q.With("Books.Tags").Limit(2)},
			"with conditions": {q.Where(expr.Ne(&a.Name, "bob")).WithJoined("Books"), q.Where("name <> ?", "bob").With("Books")},
			"with an offset":  {q.WithJoined("Books").Offset(1), q.With("Books").Offset(1)},
			"locked":          {q.WithJoined("Books").ForUpdate(), q.With("Books").ForUpdate()},
			"beside a join":   {q.Join("Books").WithJoined("Profile").Limit(2), q.Join("Books").With("Profile").Limit(2)},
			"both":            {q.WithJoined("Profile").With("Books.Tags"), q.With("Books.Tags", "Profile")},
		} {
			s.ExpungeAll()
			want := told(must(c.with.All(t.Context(), s)))
			s.ExpungeAll()
			db.rec.take()
			got := must(c.joined.All(t.Context(), s))
			if told(got) != want {
				t.Errorf("%s: got %s, want %s", name, told(got), want)
			}
			if n := len(db.rec.take()); n != 1 && name != "both" {
				t.Errorf("%s: %d statements", name, n)
			}
			for _, author := range got {
				if !s.Contains(author) || len(author.Books) > 0 && !s.Contains(author.Books[0]) || s.IsModified(author) {
					t.Errorf("%s: %s is not the session's, or changed", name, author.Name)
				}
			}
		}
	})
}

// TestARelationIsFilledFromAJoin is contains_eager: the relation holds what the
// conditions find.
func TestARelationIsFilledFromAJoin(t *testing.T) {
	withLibrary(t, func(t *testing.T, db database) {
		s := shelved(t, db)
		q := orm.From[Author]()
		a, b := q.Row(), orm.From[Book]().Row()
		filtered := q.Join(&a.Books).Where(expr.In(&b.Title, "two", "three")).OrderBy(&a.Name)
		if got := told(must(filtered.WithJoined(&a.Books).All(t.Context(), s))); got != "ann two; bob three" {
			t.Error(got)
		}
		// What was read stays, unless it is asked for again.
		if got := told(must(q.WithJoined("Books").OrderBy(&a.Name).All(t.Context(), s))); got != "ann two; bob three; cal" {
			t.Error(got)
		}
		if got := told(must(q.WithJoined("Books").PopulateExisting().OrderBy(&a.Name).All(t.Context(), s))); got != "ann one two; bob three; cal" {
			t.Error(got)
		}
		check(t, s.Flush(t.Context()))
		if n := db.seen(t, s, "SELECT count(*) FROM book WHERE author_id IS NOT NULL"); n != 3 {
			t.Errorf("%d books have an author", n)
		}
		s.ExpungeAll()
		if _, err := filtered.WithJoined("Books").Limit(1).All(t.Context(), s); err == nil || !containsText(err, "a limit would count its rows") {
			t.Error(err)
		}
		one := must(q.Where(expr.Eq(&a.Name, "ann")).WithJoined("Books").One(t.Context(), s))
		if len(one.Books) != 2 {
			t.Errorf("%d books", len(one.Books))
		}
		one.Books = slices.Delete(one.Books, 0, 1)
		check(t, s.Flush(t.Context()))
		var titles []string
		for author, err := range q.WithJoined("Books").OrderBy(&a.Name).Each(t.Context(), s) {
			check(t, err)
			titles = append(titles, fmt.Sprint(author.Name, len(author.Books)))
		}
		if !slices.Equal(titles, []string{"ann1", "bob1", "cal0"}) {
			t.Error(titles)
		}
		if _, err := q.WithJoined("Nothing").All(t.Context(), s); err == nil {
			t.Error("a relation that does not exist was read")
		}
	})
}
