package rows_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
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
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/rows.db" },
		"PostgreSQL": func(t *testing.T) string { return dbtest.Postgres(t).Database(t).URL() },
		"MariaDB":    func(t *testing.T) string { return dbtest.MariaDB(t).Database(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eng, err := engine.Open(t.Context(), url(t))
			check(t, err)
			s := orm.NewSession(eng)
			t.Cleanup(func() {
				check(t, s.Close(context.Background()), eng.Dispose())
			})
			check(t, orm.CreateAll(t.Context(), eng, (*Author)(nil), (*Book)(nil)), s.AddAll(
				&Author{Name: "ann", Books: []*Book{{Title: "one", Pages: 10, Price: 1.5}, {Title: "two", Pages: 20, Price: 2.5}}},
				&Author{Name: "bob"},
				&Book{Title: "none", Pages: 30, Price: 4},
			), s.Commit(t.Context()))
			s.ExpungeAll()
			test(t, s)
		})
	}
}

func check(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
