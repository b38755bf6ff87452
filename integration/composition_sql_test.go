package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// sqlDeeds are done with a handle of database/sql.
var sqlDeeds = []deed[*sqldb.DB]{
	{"read all", func(ctx context.Context, db *sqldb.DB) (string, error) { return read(ctx, db, 1<<30) }},
	{"write", func(ctx context.Context, db *sqldb.DB) (string, error) {
		r, err := db.ExecContext(ctx, "INSERT INTO goods (name) VALUES (?), (?)", "a", "b")
		if err != nil {
			return "", err
		}
		n, err := r.RowsAffected()
		return fmt.Sprint(n, " rows"), err
	}},
	{"break a rule", func(ctx context.Context, db *sqldb.DB) (string, error) {
		_, err := db.ExecContext(ctx, "INSERT INTO goods (name) VALUES (NULL)")
		return "", err
	}},
	{"read all, declared so", func(ctx context.Context, db *sqldb.DB) (string, error) {
		return read(sp.WithReadOnly(ctx), db, 1<<30)
	}},
	{"read the first row only", func(ctx context.Context, db *sqldb.DB) (string, error) { return read(ctx, db, 1) }},
	{"read one row", func(ctx context.Context, db *sqldb.DB) (string, error) {
		var n int
		err := db.QueryRowContext(sp.WithReadOnly(ctx), "SELECT count(*) FROM goods").Scan(&n)
		return fmt.Sprint(n), err
	}},
	{"a unit of work", func(ctx context.Context, db *sqldb.DB) (string, error) {
		return "done", db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "UPDATE goods SET name = name || 'x'"); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "DELETE FROM goods WHERE id > 20")
			return err
		})
	}},
	{"a transaction that is rolled back", func(ctx context.Context, db *sqldb.DB) (string, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return "", err
		}
		defer tx.Rollback()
		_, err = tx.ExecContext(ctx, "DELETE FROM goods")
		return "nothing", err
	}},
	{"a prepared statement", func(ctx context.Context, db *sqldb.DB) (string, error) {
		st, err := db.PrepareContext(ctx, "SELECT name FROM goods WHERE id = ?")
		if err != nil {
			return "", err
		}
		defer st.Close()
		var name string
		err = st.QueryRowContext(ctx, 1).Scan(&name)
		return name, err
	}},
}

// read returns the first rows of a query.
func read(ctx context.Context, db *sqldb.DB, most int) (string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM goods ORDER BY id")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var got []string
	for len(got) < most && rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
		got = append(got, name)
	}
	return strings.Join(got, " "), rows.Err()
}

// sqlShelf is on SQLite. database/sql itself loses the connection when a driver
// panics in a query.
func sqlShelf(t testing.TB, chain sp.Chain) shelf[*sqldb.DB] {
	t.Helper()
	dsn := "file:" + dbtest.SQLite(t) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)"
	maker := must(sql.Open("sqlite", dsn))
	mustExec(t, maker, "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", "INSERT INTO goods (name) VALUES ('a'), ('b'), ('c')")
	db := must(sqldb.Open("sqlite", dsn, chain))
	db.SetMaxOpenConns(20)
	return shelf[*sqldb.DB]{
		db: must(sqldb.Wrap(db)), fragile: true,
		inUse: func() int { return db.Stats().InUse },
		close: func() error { return errors.Join(db.Close(), maker.Close()) },
	}
}
