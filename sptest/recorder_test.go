package sptest_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/sptest"
)

func TestARecorderKeepsCallsAsTheyEnded(t *testing.T) {
	t.Parallel()
	calls := &sptest.Recorder{}
	db, err := sqldb.Open("sqlite", filepath.Join(t.TempDir(), "r.db"), sessionproxy.NewChain(calls))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{"CREATE TABLE a (n INTEGER UNIQUE)", "INSERT INTO a VALUES (1), (2)", "INSERT INTO a VALUES (1)"} {
		_, _ = db.ExecContext(t.Context(), text)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT n FROM a")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	rows.Close()
	got := calls.Statements()
	if len(got) != 4 {
		t.Fatalf("%d statements, want 4", len(got))
	}
	insert, again, read := got[1], got[2], got[3]
	if insert.Summary != "INSERT a" || insert.RowsAffected != 2 || !insert.Writes || insert.Err != nil {
		t.Errorf("insert: %+v", insert)
	}
	if again.Class != fault.ClassIntegrity || again.Err == nil {
		t.Errorf("a violation: %+v", again)
	}
	if read.RowsReturned != 2 || read.Writes {
		t.Errorf("query: %+v", read)
	}
	if calls.Reset(); len(calls.Calls()) != 0 {
		t.Error("calls are kept after Reset")
	}
	q := &quiet{TB: t}
	over := calls.MaxStatements(q, 2)
	for range 3 {
		_, err = db.ExecContext(t.Context(), "UPDATE a SET n = n")
	}
	over()
	if err != nil || len(q.said) != 1 || !strings.Contains(q.said[0], "3 statements, want at most 2: 3 × UPDATE a") {
		t.Errorf("it says %v, %v", q.said, errors.Join(err))
	}
}
