package literals_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// TestSQLite has SQLite judge.
func TestSQLite(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", dbtest.SQLite(t)+"?_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, text := range []string{
		"CREATE TABLE t (a TEXT UNIQUE, b TEXT, view, trigger, key, column, rename, temp, recursive, cast, match, row)", "CREATE TABLE u (a TEXT, b TEXT UNIQUE)", "CREATE INDEX i ON t (a)", "INSERT INTO t (a, b) VALUES ('1', '2')", "INSERT INTO u VALUES ('1', '2')",
	} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	hold(t, sqliteJudge{db}, sqltext.SQLite, inSQLite, seed(t))
}

type sqliteJudge struct{ db *sql.DB }

// probes run what a CREATE has made.
var probes = []string{"INSERT INTO z DEFAULT VALUES", "SELECT * FROM z", "INSERT INTO t (a, b) VALUES (1, 1)", "UPDATE t SET a = 1"}

// data implements [judge]: data is what is a constant in the program of a
// statement, or is returned by it.
func (j sqliteJudge) data(ctx context.Context, text string, markers []string) ([]string, bool, error) {
	if _, err := j.db.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, false, err
	}
	values, understood, err := j.values(ctx, text)
	if _, rerr := j.db.ExecContext(ctx, "ROLLBACK"); rerr != nil && !strings.Contains(rerr.Error(), "no transaction is active") {
		err = errors.Join(err, rerr)
	}
	var out []string
	for _, m := range markers {
		if anyShows(values, m) {
			out = append(out, m)
		}
	}
	return out, understood, err
}

func (j sqliteJudge) values(ctx context.Context, text string) (values []string, understood bool, err error) {
	creates := strings.HasPrefix(text, "CREATE")
	if !creates {
		if values, err = j.program(ctx, text); err != nil {
			return nil, false, refused(err)
		}
	}
	returned, err := rowsOf(ctx, j.db, text)
	if creates && err != nil {
		return nil, false, refused(err)
	}
	if creates {
		for _, probe := range probes {
			constants, err := j.program(ctx, probe)
			if err != nil && refused(err) != nil {
				return nil, false, err
			}
			values = append(values, constants...)
		}
	}
	return append(values, returned...), true, refused(err)
}

// refused returns nil for an error that SQLite answered.
func refused(err error) error {
	var answer *sqlite.Error
	if errors.As(err, &answer) || err != nil && strings.Contains(err.Error(), "missing argument") || err != nil && strings.Contains(err.Error(), "missing named argument") {
		return nil
	}
	return err
}

// program returns the constants of the program that SQLite makes of a statement.
func (j sqliteJudge) program(ctx context.Context, text string) ([]string, error) {
	rows, err := j.db.QueryContext(ctx, "EXPLAIN "+text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var opcode string
		var address, p1, p2, p3, p5 int64
		var p4, comment sql.NullString
		if err := rows.Scan(&address, &opcode, &p1, &p2, &p3, &p4, &p5, &comment); err != nil {
			return nil, err
		}
		switch opcode {
		case "String8", "String", "Blob", "Int64", "Real":
			out = append(out, p4.String)
		}
	}
	return out, rows.Err()
}
