package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// pgxDeeds are done with a pool of pgx.
var pgxDeeds = []deed[*pgxdb.Pool]{
	{"read all", func(ctx context.Context, db *pgxdb.Pool) (string, error) { return readPGX(ctx, db) }},
	{"read all, declared so", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		return readPGX(sp.WithReadOnly(ctx), db)
	}},
	{"read the first row only", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		rows, err := db.Query(ctx, "SELECT name FROM goods ORDER BY id")
		if err != nil {
			return "", err
		}
		defer rows.Close()
		var name string
		if rows.Next() {
			err = rows.Scan(&name)
		}
		return name, errors.Join(err, rows.Err())
	}},
	{"read one row", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		var n int
		err := db.QueryRow(sp.WithReadOnly(ctx), "SELECT count(*) FROM goods").Scan(&n)
		return fmt.Sprint(n), err
	}},
	{"write", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		tag, err := db.Exec(ctx, "INSERT INTO goods (name) VALUES ($1), ($2)", "a", "b")
		return tag.String(), err
	}},
	{"break a rule", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		_, err := db.Exec(ctx, "INSERT INTO goods (name) VALUES (NULL)")
		return "", errors.New(fault.Code(err)) // the message tells of the row, whose key may differ
	}},
	{"a batch", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO goods (name) VALUES ('x')")
		b.Queue("SELECT count(*) FROM goods")
		r := db.SendBatch(ctx, b)
		_, err := r.Exec()
		var n int
		if err == nil {
			err = r.QueryRow().Scan(&n)
		}
		return fmt.Sprint(n), errors.Join(err, r.Close())
	}},
	{"a copy", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		n, err := db.CopyFrom(ctx, pgx.Identifier{"goods"}, []string{"name"}, pgx.CopyFromRows([][]any{{"y"}, {"z"}}))
		return fmt.Sprint(n), err
	}},
	{"a unit of work", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		return "done", db.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE goods SET name = name || 'x'"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "DELETE FROM goods WHERE length(name) > 20")
			return err
		})
	}},
	{"a transaction that is rolled back", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		tx, err := db.Begin(ctx)
		if err != nil {
			return "", err
		}
		defer tx.Rollback(context.WithoutCancel(ctx))
		_, err = tx.Exec(ctx, "DELETE FROM goods")
		return "nothing", err
	}},
	{"a connection", func(ctx context.Context, db *pgxdb.Pool) (string, error) {
		name := ""
		err := db.AcquireFunc(ctx, func(c *pgxdb.PoolConn) error {
			return c.QueryRow(ctx, "SELECT name FROM goods ORDER BY id LIMIT 1").Scan(&name)
		})
		return name, err
	}},
}

func readPGX(ctx context.Context, db *pgxdb.Pool) (string, error) {
	rows, err := db.Query(ctx, "SELECT name FROM goods ORDER BY id")
	if err != nil {
		return "", err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(names, " "), err
}

// pgxShelf is on a database of PostgreSQL of its own, whose table is made anew
// each time.
func pgxShelf(t *testing.T) opener[*pgxdb.Pool] {
	t.Helper()
	url := dbtest.Postgres(t).Database(t).URL()
	maker := openPGX(t, url, nil)
	pgxExec(t, maker, "CREATE TABLE goods (id BIGINT GENERATED ALWAYS AS IDENTITY, name TEXT NOT NULL)")
	return func(t testing.TB, chain sp.Chain) shelf[*pgxdb.Pool] {
		pgxExec(t, maker, "TRUNCATE goods", "INSERT INTO goods (name) VALUES ('a'), ('b'), ('c')")
		pool := must(pgxdb.NewPool(t.Context(), url, chain))
		return shelf[*pgxdb.Pool]{
			db:    pool,
			inUse: func() int { return int(pool.Stat().AcquiredConns()) },
			close: func() error { pool.Close(); return nil },
		}
	}
}
