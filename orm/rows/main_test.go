package rows_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/internal/ormtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(dbtest.Runner(m), goleak.Cleanup(os.Exit))
}

// Author has books; a Book may have none of them.
type Author struct {
	ID    int64
	Name  string
	Books []*Book `orm:"rel:has-many"`
}

type Book struct {
	ID       int64
	AuthorID *int64 `orm:"author_id,references:author"`
	Title    string
	Pages    int
	Price    float64
	Author   *Author `orm:"rel:belongs-to"`
}

// onEach runs test on each database, which has two authors, one of them with books,
// and a book without an author.
func onEach(t *testing.T, test func(t *testing.T, s *orm.Session)) {
	t.Helper()
	ormtest.Each(t, func(t *testing.T, url string) {
		eng := ormtest.Open(t, url, nil)
		s := ormtest.Session(t, eng)
		ormtest.Check(t, orm.CreateAll(t.Context(), eng, (*Author)(nil), (*Book)(nil)), s.AddAll(
			&Author{Name: "ann", Books: []*Book{{Title: "one", Pages: 10, Price: 1.5}, {Title: "two", Pages: 20, Price: 2.5}}},
			&Author{Name: "bob"},
			&Book{Title: "none", Pages: 30, Price: 4},
		), s.Commit(t.Context()))
		s.ExpungeAll()
		test(t, s)
	})
}
