package sqldb_test

import (
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// A savepoint is set by text inside a transaction that was begun through
// BeginTx: with its COMMIT the connection is in no transaction any more.
func TestASavepointEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	db, err := sqldb.Open("sqlite", ":memory:", sp.NewChain(rec))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing is kept
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // the database is closed after it
	tx, err := c.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SAVEPOINT a"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var in []bool
	for _, s := range rec.calls {
		if s.op == sp.OpExec {
			in = append(in, s.inTx)
		}
	}
	if want := []bool{true, false}; !slices.Equal(in, want) {
		t.Errorf("statements were in a transaction: %v, want %v", in, want)
	}
}
