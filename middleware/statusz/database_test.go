package statusz_test

import (
	"context"
	"database/sql"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // database/sql's driver of PostgreSQL
	"go.uber.org/goleak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(dbtest.Runner(m), goleak.Cleanup(os.Exit))
}

// flying returns what is in flight, as "stage summary", in the page's order and
// with a ">" for each call above.
func flying(t *testing.T, p *statusz.Page) (out []string) {
	t.Helper()
	for _, c := range look(t, p).Calls {
		out = append(out, strings.Repeat(">", c.Depth)+c.Stage+" "+c.Summary)
	}
	return out
}

func wantFlying(t *testing.T, p *statusz.Page, want ...string) {
	t.Helper()
	if got := flying(t, p); !slices.Equal(got, want) {
		t.Errorf("in flight: %q, want %q", got, want)
	}
}

func TestOnPostgreSQL(t *testing.T) {
	t.Parallel()
	database := dbtest.Postgres(t).Database(t)
	p := newPage(t)
	pool, err := pgxdb.NewPool(t.Context(), database.URL("pool_max_conns=4"), sp.NewChain(p, p.Innermost()))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ctx := t.Context()
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(ctx, text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE stock (id int PRIMARY KEY, n int)")
	exec("INSERT INTO stock SELECT i, 0 FROM generate_series(1, $1) i", 1000)

	rows, err := pool.Query(ctx, "SELECT id FROM stock")
	if err != nil {
		t.Fatal(err)
	}
	wantFlying(t, p, "rows SELECT stock")
	rows.Close()
	wantFlying(t, p)

	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "UPDATE stock SET n = 1 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	wantFlying(t, p, "transaction BEGIN")

	// Another unit of work waits for the row.
	through := make(chan error, 1)
	go func() {
		ctx := sp.WithCallName(ctx, "stock.reserve")
		through <- pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE stock SET n = n + 1 WHERE id = 1")
			return err
		})
	}()
	for waiting := 0; waiting == 0; {
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	wantFlying(t, p, "transaction BEGIN", "unit transaction stock.reserve", ">transaction BEGIN", ">executing UPDATE stock")
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-through; err != nil {
		t.Fatal(err)
	}
	wantFlying(t, p)

	_, err = pool.Exec(ctx, "INSERT INTO stock VALUES (1, 424242424)")
	if err == nil {
		t.Fatal("the row is there twice")
	}
	s := look(t, p)
	if len(s.Failures) != 1 || s.Failures[0].Error != "23505" || s.Failures[0].Text != "INSERT INTO stock VALUES (?, ?)" {
		t.Errorf("failures: %+v", s.Failures)
	}
	if s.latencyOf(t, "COMMIT").Count != 2 || s.latencyOf(t, "UPDATE stock").Count != 2 || s.latencyOf(t, "transaction stock.reserve").Count != 1 {
		t.Errorf("latencies: %+v", s.Latencies)
	}
	for _, url := range []string{"/", "/?format=json"} {
		body := get(p, http.MethodGet, url).Body.String()
		for _, hidden := range []string{database.Password, database.User, "424242424"} {
			if strings.Contains(body, hidden) {
				t.Errorf("%s shows %q", url, hidden)
			}
		}
	}
}

func TestOnDatabaseSQL(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	raw, err := sqldb.Open("pgx", dbtest.Postgres(t).Database(t).URL(), sp.NewChain(p, p.Innermost()))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1)
	db, err := sqldb.Wrap(raw)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := db.ExecContext(ctx, "CREATE TABLE stock (id int PRIMARY KEY, n int)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO stock VALUES (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(ctx, "SELECT id FROM stock")
	if err != nil {
		t.Fatal(err)
	}
	wantFlying(t, p, "rows SELECT stock")

	// The one connection is in use: another call waits for it.
	through := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, "DELETE FROM stock WHERE id = 7")
		through <- err
	}()
	for raw.Stats().WaitCount == 0 {
		_ = flying(t, p) // takes a while
	}
	wantFlying(t, p, "rows SELECT stock", "driver DELETE stock")
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-through; err != nil {
		t.Fatal(err)
	}
	wantFlying(t, p)

	err = db.RunInTx(sp.WithCallName(ctx, "stock.count"), nil, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT n FROM stock")
		if err != nil {
			return err
		}
		defer rows.Close()
		wantFlying(t, p, "unit transaction stock.count", ">transaction BEGIN", ">rows SELECT stock")
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFlying(t, p)
	s := look(t, p)
	// A handle's call and its step on the connection are one.
	if l := s.latencyOf(t, "SELECT stock"); l.Count != 2 {
		t.Errorf("%+v", l)
	}
	if s.latencyOf(t, "DELETE stock").Count != 1 || s.Statements.Failed != 0 {
		t.Errorf("%+v, %+v", s.Latencies, s.Statements)
	}
}
