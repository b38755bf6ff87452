package integration_test

import (
	"bytes"
	"runtime/pprof"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware/profile"
)

// TestProfilesNameTheStatementAtWork looks at the goroutines of the process while
// statements are performed on each database.
func TestProfilesNameTheStatementAtWork(t *testing.T) {
	t.Parallel()
	slow := map[sp.System]string{
		sp.PostgreSQL: "INSERT INTO seen_pg SELECT 1 FROM pg_sleep(0.05)",
		sp.MariaDB:    "INSERT INTO seen_my SELECT SLEEP(0.05)",
		sp.SQLite:     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO seen_lite SELECT count(*) FROM n",
	}
	table := map[sp.System]string{sp.PostgreSQL: "seen_pg", sp.MariaDB: "seen_my", sp.SQLite: "seen_lite"}
	onEach(t, func(t *testing.T, d database) {
		db := d.open(t, must(profile.New()))
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE "+table[d.system]+" (n BIGINT)"); err != nil {
			t.Fatal(err)
		}
		want := []byte("INSERT " + table[d.system])
		for range 50 {
			over := make(chan error)
			go func() {
				_, err := db.ExecContext(t.Context(), slow[d.system])
				over <- err
			}()
			for working := true; working; {
				select {
				case err := <-over:
					if err != nil {
						t.Fatal(err)
					}
					working = false
				default:
					var all bytes.Buffer
					if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
						t.Fatal(err)
					}
					if bytes.Contains(all.Bytes(), want) {
						if err := <-over; err != nil {
							t.Error(err)
						}
						return
					}
				}
			}
		}
		t.Errorf("no profile shows %s", want)
	})
}
