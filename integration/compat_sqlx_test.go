package integration_test

import (
	"database/sql"
	"testing"
	"testing/fstest"

	"github.com/Masterminds/squirrel"
	"github.com/georgysavva/scany/v2/pgxscan"
	"github.com/georgysavva/scany/v2/sqlscan"
	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// word is a row that sqlx and scany read.
type word struct {
	ID   int64  `db:"id"`
	Text string `db:"text"`
}

func words(t *testing.T, db *sql.DB) {
	t.Helper()
	mustExec(t, db, "CREATE TABLE words (id INTEGER PRIMARY KEY, text VARCHAR(50) NOT NULL)")
}

func TestSqlxRunsUnchanged(t *testing.T) {
	t.Parallel()
	onEachCompatible(t, func(t *testing.T, d database, db *sql.DB, c *telemetry) {
		words(t, db)
		x := sqlx.NewDb(db, d.driver)
		ctx, span := c.under(t)
		if _, err := x.NamedExecContext(ctx, "INSERT INTO words (id, text) VALUES (:id, :text)", []word{{1, "a"}, {2, "b"}}); err != nil {
			t.Fatal(err)
		}
		tx, err := x.BeginTxx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		stmt, err := tx.PrepareNamedContext(ctx, "UPDATE words SET text = :text WHERE id = :id")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stmt.ExecContext(ctx, word{2, "z"}); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		var read []word
		if err := x.SelectContext(ctx, &read, "SELECT id, text FROM words ORDER BY id"); err != nil || len(read) != 2 || read[1].Text != "z" {
			t.Fatalf("%+v, error %v", read, err)
		}
		c.spansOf(t, d, span, "INSERT words", "UPDATE words", "SELECT words")
	})
}

func TestSquirrelAndScanyRunUnchanged(t *testing.T) {
	t.Parallel()
	onEachCompatible(t, func(t *testing.T, d database, db *sql.DB, c *telemetry) {
		words(t, db)
		b := squirrel.StatementBuilder.RunWith(db)
		if d.system == sp.PostgreSQL {
			b = b.PlaceholderFormat(squirrel.Dollar)
		}
		ctx, span := c.under(t)
		if _, err := b.Insert("words").Columns("id", "text").Values(1, "a").Values(2, "b").ExecContext(ctx); err != nil {
			t.Fatal(err)
		}
		text, args, err := b.Select("id", "text").From("words").Where(squirrel.Gt{"id": 1}).ToSql()
		if err != nil {
			t.Fatal(err)
		}
		var read []word
		if err := sqlscan.Select(ctx, db, &read, text, args...); err != nil || len(read) != 1 || read[0].Text != "b" {
			t.Fatalf("%+v, error %v", read, err)
		}
		c.spansOf(t, d, span, "INSERT words", "SELECT words")
	})
}

func TestScanyRunsOnPGX(t *testing.T) {
	t.Parallel()
	c := collect(t)
	pool := openPGX(t, dbtest.Postgres(t).Database(t).URL(), []sp.Interceptor{c.tracing})
	pgxExec(t, pool, "CREATE TABLE words (id int PRIMARY KEY, text text NOT NULL)")
	ctx, span := c.under(t)
	if _, err := pool.Exec(ctx, "INSERT INTO words VALUES ($1, $2)", 1, "a"); err != nil {
		t.Fatal(err)
	}
	var read []word
	if err := pgxscan.Select(ctx, pool, &read, "SELECT id, text FROM words"); err != nil || len(read) != 1 || read[0].Text != "a" {
		t.Fatalf("%+v, error %v", read, err)
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		return pgxscan.Get(ctx, tx, &read[0], "UPDATE words SET text = 'b' RETURNING id, text")
	})
	if err != nil || read[0].Text != "b" {
		t.Fatalf("%+v, error %v", read, err)
	}
	c.spansOf(t, compatible[0], span, "INSERT words", "SELECT words", "UPDATE words")
}

func TestGooseRunsUnchanged(t *testing.T) {
	t.Parallel()
	onEachCompatible(t, func(t *testing.T, d database, db *sql.DB, c *telemetry) {
		dialect := map[sp.System]goose.Dialect{sp.PostgreSQL: goose.DialectPostgres, sp.MariaDB: goose.DialectMySQL, sp.SQLite: goose.DialectSQLite3}[d.system]
		files := fstest.MapFS{
			"00001_first.sql":  {Data: []byte("-- +goose Up\nCREATE TABLE words (id INTEGER PRIMARY KEY, text VARCHAR(50) NOT NULL);\n-- +goose Down\nDROP TABLE words;\n")},
			"00002_second.sql": {Data: []byte("-- +goose Up\nINSERT INTO words VALUES (1, 'a');\nINSERT INTO words VALUES (2, 'b');\n-- +goose Down\nDELETE FROM words;\n")},
		}
		p, err := goose.NewProvider(dialect, db, files)
		if err != nil {
			t.Fatal(err)
		}
		ctx, _ := c.under(t)
		if _, err := p.Up(ctx); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM words").Scan(&n); err != nil || n != 2 {
			t.Errorf("%d rows, error %v", n, err)
		}
		if _, err := p.DownTo(ctx, 0); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"CREATE TABLE words": 1, "INSERT words": 2, "DELETE words": 1, "DROP TABLE words": 1}
		for _, s := range c.take() {
			want[plain(s.Name)]--
		}
		for _, name := range []string{"CREATE TABLE words", "INSERT words", "DELETE words", "DROP TABLE words"} {
			if want[name] != 0 {
				t.Errorf("%s: %d spans are missing", name, want[name])
			}
		}
	})
}
