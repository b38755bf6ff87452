package integration_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/integration/internal/sqlcgen"
	"github.com/sessionproxy/sessionproxy/integration/internal/sqlcgen/mysql"
	"github.com/sessionproxy/sessionproxy/integration/internal/sqlcgen/pgxmode"
	"github.com/sessionproxy/sessionproxy/integration/internal/sqlcgen/postgres"
	"github.com/sessionproxy/sessionproxy/integration/internal/sqlcgen/sqlite"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// A store is what sqlc generated for one database: the same queries, each with
// types of its own.
type store struct {
	add    func(ctx context.Context, name string, stock int64) error
	byName func(ctx context.Context, name string) (id, stock int64, err error)
	take   func(ctx context.Context, id int64) (int64, error)
	names  func(ctx context.Context) ([]string, error)
}

func postgresStore(db postgres.DBTX) store {
	q := postgres.New(db)
	return store{
		func(ctx context.Context, name string, stock int64) error {
			return q.AddItem(ctx, postgres.AddItemParams{Name: name, Stock: stock})
		},
		func(ctx context.Context, name string) (int64, int64, error) {
			i, err := q.ItemByName(ctx, name)
			return i.ID, i.Stock, err
		},
		q.TakeFrom,
		func(ctx context.Context) ([]string, error) {
			rows, err := q.Items(ctx)
			return namesOf(rows, func(r postgres.ItemsRow) string { return r.Name }), err
		},
	}
}

func mysqlStore(db mysql.DBTX) store {
	q := mysql.New(db)
	return store{
		func(ctx context.Context, name string, stock int64) error {
			return q.AddItem(ctx, mysql.AddItemParams{Name: name, Stock: stock})
		},
		func(ctx context.Context, name string) (int64, int64, error) {
			i, err := q.ItemByName(ctx, name)
			return i.ID, i.Stock, err
		},
		q.TakeFrom,
		func(ctx context.Context) ([]string, error) {
			rows, err := q.Items(ctx)
			return namesOf(rows, func(r mysql.ItemsRow) string { return r.Name }), err
		},
	}
}

func sqliteStore(db sqlite.DBTX) store {
	q := sqlite.New(db)
	return store{
		func(ctx context.Context, name string, stock int64) error {
			return q.AddItem(ctx, sqlite.AddItemParams{Name: name, Stock: stock})
		},
		func(ctx context.Context, name string) (int64, int64, error) {
			i, err := q.ItemByName(ctx, name)
			return i.ID, i.Stock, err
		},
		q.TakeFrom,
		func(ctx context.Context) ([]string, error) {
			rows, err := q.Items(ctx)
			return namesOf(rows, func(r sqlite.ItemsRow) string { return r.Name }), err
		},
	}
}

func namesOf[R any](rows []R, name func(R) string) (names []string) {
	for _, r := range rows {
		names = append(names, name(r))
	}
	return names
}

// sqlcTX is what generated code of each database takes.
type sqlcTX interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

var sqlcStores = map[sp.System]struct {
	schema string
	on     func(db sqlcTX) store
}{
	sp.PostgreSQL: {sqlcgen.Postgres, func(db sqlcTX) store { return postgresStore(db) }},
	sp.MariaDB:    {sqlcgen.MySQL, func(db sqlcTX) store { return mysqlStore(db) }},
	sp.SQLite:     {sqlcgen.SQLite, func(db sqlcTX) store { return sqliteStore(db) }},
}

func TestSqlcRunsUnchanged(t *testing.T) {
	t.Parallel()
	onEachCompatible(t, func(t *testing.T, d database, db *sql.DB, c *telemetry) {
		gen := sqlcStores[d.system]
		mustExec(t, db, gen.schema)
		ctx, span := c.under(t)
		if err := gen.on(db).add(ctx, "a", 1); err != nil {
			t.Fatal(err)
		}
		c.spansOf(t, d, span, "INSERT items")
		// In a unit of work of the handle: sqlc's code takes its transaction.
		h := must(sqldb.Wrap(db))
		for _, want := range []int64{1, 0} { // one is there to be taken
			var taken int64
			err := h.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
				q := gen.on(tx)
				id, _, err := q.byName(ctx, "a")
				if err == nil {
					taken, err = q.take(ctx, id)
				}
				return err
			})
			if err != nil || taken != want {
				t.Fatalf("%d taken, want %d; error %v", taken, want, err)
			}
		}
		if names, err := gen.on(db).names(ctx); err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("%q, error %v", names, err)
		}
	})
}

func TestSqlcInItsPGXModeRunsUnchanged(t *testing.T) {
	t.Parallel()
	c := collect(t)
	pool := openPGX(t, dbtest.Postgres(t).Database(t).URL(), []sp.Interceptor{c.tracing})
	pgxExec(t, pool, sqlcgen.Postgres)
	q := pgxmode.New(pool)
	ctx, span := c.under(t)
	if n, err := q.AddItems(ctx, []pgxmode.AddItemsParams{{Name: "a", Stock: 1}, {Name: "b", Stock: 2}}); n != 2 || err != nil {
		t.Fatalf("%d copied, error %v", n, err)
	}
	c.spansOf(t, compatible[0], span, "COPY items")
	batch := q.Restock(ctx, []pgxmode.RestockParams{{Stock: 10, Name: "a"}, {Stock: 20, Name: "b"}})
	batch.Exec(func(i int, err error) {
		if err != nil {
			t.Errorf("statement %d: %v", i, err)
		}
	})
	c.spansOf(t, compatible[0], span, "BATCH UPDATE items")
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		b, err := q.WithTx(tx).ItemByName(ctx, "b")
		if err != nil {
			return err
		}
		_, err = q.WithTx(tx).TakeFrom(ctx, b.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c.spansOf(t, compatible[0], span, "SELECT items", "UPDATE items")
	if b, err := q.ItemByName(ctx, "b"); err != nil || b.Stock != 21 {
		t.Errorf("%+v, error %v", b, err)
	}
}
