package dbtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestABorrowedDatabaseGoesWithItsServer(t *testing.T) {
	t.Parallel()
	for kind, server := range shared {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server(t) // skips here where servers are missing
			db, giveBack, err := dbtest.Borrow(t.Context(), kind)
			must(t, err)
			if got := query(t, db, "SELECT 42"); got != "42" {
				t.Errorf("the database answers %q", got)
			}
			must(t, giveBack())
			refused(t, db)
			disappears(t, filepath.Dir(db.Socket))
			if got := query(t, server(t).Database(t), "SELECT 42"); got != "42" {
				t.Errorf("the shared server answers %q afterwards", got)
			}
		})
	}
}

// TestBorrower is no test: it borrows from the server that its environment
// names.
func TestBorrower(t *testing.T) {
	t.Parallel()
	if os.Getenv(envOf(dbtest.KindPostgres)) == "" {
		t.Skip("runs only as the child of TestABorrowedDatabaseIsDropped")
	}
	db, giveBack, err := dbtest.Borrow(t.Context(), dbtest.KindPostgres)
	must(t, err)
	query(t, db, "CREATE TABLE t (n int)")
	must(t, giveBack())
	fmt.Printf("\nborrowed %s\n", db.Name)
}

func TestABorrowedDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	s := dbtest.Private(t, dbtest.KindPostgres)
	out, err := child(t, "^TestBorrower$", envOf(dbtest.KindPostgres)+"="+s.Admin().URL())
	must(t, err)
	_, name, _ := strings.Cut(out, "\nborrowed ")
	name, _, _ = strings.Cut(name, "\n")
	if name == "" {
		t.Fatalf("nothing was borrowed: %s", out)
	}
	if names := query(t, s.Admin(), "SELECT datname FROM pg_database"); strings.Contains(names, name) {
		t.Errorf("%s is still there, among %q", name, names)
	}
}

func TestBorrowingFromNowhereFails(t *testing.T) {
	t.Parallel()
	if _, _, err := dbtest.Borrow(t.Context(), "oracle"); err == nil || !strings.Contains(err.Error(), `"oracle"`) {
		t.Errorf("error %v, want the kind's name", err)
	}
}
