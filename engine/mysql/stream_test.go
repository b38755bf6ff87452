package mysql_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// endless has so many rows that a test which reads the rest never ends.
const endless = "SELECT a.seq FROM seq_1_to_1000000 a CROSS JOIN seq_1_to_1000000 b"

func TestAStoppedStreamLeavesItsTransactionAlone(t *testing.T) {
	t.Parallel()
	e := open(t)
	if _, err := e.Execute(t.Context(), engine.Text("CREATE TABLE t (n INTEGER)")); err != nil {
		t.Fatal(err)
	}
	tx, err := e.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close(t.Context())
	before := scalar(t, tx, "SELECT CONNECTION_ID()")
	if _, err := tx.Execute(t.Context(), engine.Text("INSERT INTO t VALUES (1)")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]any{nil, {0}} { // in the text protocol, and prepared
		text := endless
		if args != nil {
			text += " WHERE a.seq > ?"
		}
		for range 3 {
			stream(t, tx, engine.Text(text, args...))
			if n := scalar(t, tx, "SELECT count(*) FROM t"); n != int64(1) {
				t.Errorf("the transaction has %v rows", n)
			}
		}
	}
	if after := scalar(t, tx, "SELECT CONNECTION_ID()"); after != before {
		t.Errorf("connection %v became %v", before, after)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := scalar(t, e, "SELECT count(*) FROM t"); n != int64(1) {
		t.Errorf("%v rows after the commit", n)
	}
}

// stream reads a few rows of a statement and stops.
func stream(t *testing.T, ex engine.Executor, st engine.Statement) {
	t.Helper()
	s, err := ex.Stream(t.Context(), st, engine.WithWindow(10))
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := s.FetchMany(25); len(rows) != 25 || err != nil {
		t.Fatal(len(rows), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStoppedStreamStopsTheServer(t *testing.T) {
	t.Parallel()
	d := dbtest.MariaDB(t).Database(t)
	e := openURL(t, d.URL())
	for range 3 {
		stream(t, e, engine.Text(endless))
	}
	// The server finds out with its next write; until then it is listed.
	for {
		running := scalar(t, e, "SELECT count(*) FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID() AND info LIKE ?", d.Name, "%CROSS JOIN%")
		if running == int64(0) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatalf("%v queries are still running", running)
		}
	}
	if s := e.Stats(); s.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPlainCursorsAreNotKilled(t *testing.T) {
	t.Parallel()
	e := open(t)
	c, err := e.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	before := scalar(t, c, "SELECT CONNECTION_ID()")
	cur, err := c.Query(t.Context(), engine.Text("SELECT seq FROM seq_1_to_5000"))
	if err != nil || !cur.Next() {
		t.Fatal(err)
	}
	if err := cur.Close(); err != nil {
		t.Fatal(err)
	}
	if after := scalar(t, c, "SELECT CONNECTION_ID()"); after != before {
		t.Errorf("connection %v became %v", before, after)
	}
}

// prepares returns how many statements a connection has prepared so far.
func prepares(t *testing.T, ex engine.Executor) any {
	t.Helper()
	res, err := ex.Execute(t.Context(), engine.Text("SHOW SESSION STATUS LIKE 'Com_stmt_prepare'"))
	if err != nil {
		t.Fatal(err)
	}
	row, err := res.One()
	if err != nil {
		t.Fatal(err)
	}
	v, err := row.At(1)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStatementsArePreparedOncePerConnection(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]any{"": "2", "statement_cache=0": "20", "statement_cache=1": "20"} {
		e := open(t, strings.Fields(params)...)
		c, err := e.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 { // two texts in turn
			if got := scalar(t, c, "SELECT ? + 1", i); got != int64(i+1) {
				t.Errorf("%d + 1 is %v", i, got)
			}
			if got := scalar(t, c, "SELECT ? + 2", i); got != int64(i+2) {
				t.Errorf("%d + 2 is %v", i, got)
			}
		}
		if got := prepares(t, c); got != want {
			t.Errorf("%q: %v statements were prepared, want %v", params, got, want)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStatementThatIsGivenUpEndsOnTheServer(t *testing.T) {
	t.Parallel()
	d := dbtest.MariaDB(t).Database(t)
	e := openURL(t, d.URL())
	for _, st := range []engine.Statement{engine.Text("DO SLEEP(300)"), engine.Text("SELECT SLEEP(?)", 300)} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := e.Execute(ctx, st)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v: %v", st, err)
		}
	}
	for {
		running := scalar(t, e, "SELECT count(*) FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID() AND info LIKE '%SLEEP%'", d.Name)
		if running == int64(0) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("%v statements are still running", running)
		}
	}
}
