package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/georgysavva/scany/v2/pgxscan"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/sessionproxy/sessionproxy/bench/internal/pgfake"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres" // the engine on PostgreSQL
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// ScanFakePGX returns the in-process back end, which has the table ready, so
// that nothing but the client is measured.
func ScanFakePGX(ctx context.Context) (ScanBackend, error) {
	columns := []pgfake.Column{
		{Name: "id", OID: pgtype.Int8OID},
		{Name: "name", OID: pgtype.TextOID},
		{Name: "note", OID: pgtype.TextOID},
		{Name: "price", OID: pgtype.Float8OID},
		{Name: "stock", OID: pgtype.Int4OID},
		{Name: "active", OID: pgtype.BoolOID},
		{Name: "image", OID: pgtype.ByteaOID},
		{Name: "created_at", OID: pgtype.TimestamptzOID},
	}
	rows := make([][]any, ScanRows)
	for i := range rows {
		it := scanItem(int64(i + 1))
		rows[i] = []any{it.ID, it.Name, it.Note, it.Price, it.Stock, it.Active, it.Image, it.CreatedAt}
	}
	one := rows[scanID-1 : scanID]
	fake, err := pgfake.New(
		pgfake.Statement{SQL: scanAll, Columns: columns, Rows: rows, Tag: fmt.Sprintf("SELECT %d", ScanRows)},
		pgfake.Statement{SQL: scanOne + "$1", Params: []uint32{pgtype.Int8OID}, Columns: columns, Rows: one, Tag: "SELECT 1"},
		// bun writes arguments into the text.
		pgfake.Statement{SQL: fmt.Sprint(scanOne, scanID), Columns: columns, Rows: one, Tag: "SELECT 1"},
	)
	if err != nil {
		return ScanBackend{}, err
	}
	config, err := poolConfig("postgres://bench@db.example.com/shop?sslmode=disable")
	if err != nil {
		return ScanBackend{}, err
	}
	config.ConnConfig.DialFunc = fake.Dial
	config.ConnConfig.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	return scanPGX(ctx, "an in-process back end without a database", config, func() error { return nil })
}

// ScanPGX returns a private PostgreSQL, or the server that the environment
// names to package dbtest.
func ScanPGX(ctx context.Context) (ScanBackend, error) {
	db, giveBack, err := dbtest.Borrow(ctx, dbtest.KindPostgres)
	if err != nil {
		return ScanBackend{}, fmt.Errorf("bench: %w", err)
	}
	server, err := scanPostgres(ctx, db, giveBack)
	if err != nil {
		return ScanBackend{}, errors.Join(err, giveBack())
	}
	return server, nil
}

// scanPostgres makes the table in a database.
func scanPostgres(ctx context.Context, db dbtest.Database, giveBack func() error) (ScanBackend, error) {
	name, dsn := "PostgreSQL behind a Unix socket", db.SocketDSN()
	if db.Socket == "" {
		name, dsn = "PostgreSQL behind TCP", db.URL()
	}
	config, err := poolConfig(dsn)
	if err != nil {
		return ScanBackend{}, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return ScanBackend{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing depends on it
	_, err = conn.Exec(ctx, `CREATE TABLE scanned (id bigint PRIMARY KEY, name text NOT NULL, note text, price float8 NOT NULL,
		stock int NOT NULL, active bool NOT NULL, image bytea NOT NULL, created_at timestamptz NOT NULL)`)
	if err != nil {
		return ScanBackend{}, err
	}
	source := pgx.CopyFromSlice(ScanRows, func(i int) ([]any, error) {
		it := scanItem(int64(i + 1))
		return []any{it.ID, it.Name, it.Note, it.Price, it.Stock, it.Active, it.Image, it.CreatedAt}, nil
	})
	columns := []string{"id", "name", "note", "price", "stock", "active", "image", "created_at"}
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"scanned"}, columns, source); err != nil {
		return ScanBackend{}, err
	}
	if _, err := conn.Exec(ctx, "VACUUM ANALYZE scanned"); err != nil {
		return ScanBackend{}, err
	}
	eng, err := engine.Open(ctx, engineURL(db))
	if err != nil {
		return ScanBackend{}, err
	}
	backend, err := scanPGX(ctx, name, config, func() error { return errors.Join(eng.Dispose(), giveBack()) })
	if err != nil {
		return ScanBackend{}, errors.Join(err, eng.Dispose())
	}
	backend.Subjects = slices.Insert(backend.Subjects, 1, engineSubject(eng))
	return backend, nil
}

// engineURL is the same way to the database as pgx has.
func engineURL(db dbtest.Database) string {
	if db.Socket == "" {
		return db.URL()
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(db.User, db.Password), Host: ":" + strconv.Itoa(db.Port), Path: db.Name}
	u.RawQuery = url.Values{"host": {filepath.Dir(db.Socket)}}.Encode()
	return u.String()
}

// scanPGX returns the subjects on a server that pgx can reach.
func scanPGX(ctx context.Context, name string, config *pgxpool.Config, end func() error) (ScanBackend, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return ScanBackend{}, err
	}
	db := stdlib.OpenDB(*config.ConnConfig)
	db.SetMaxOpenConns(1)
	subjects := pgxSubjects(pool)
	for _, s := range scanSubjects(db, "pgx", "$1", pgdialect.New())[1:] {
		s.Name += ", pgx under database/sql"
		if s.Name != "scany, pgx under database/sql" { // it is measured on pgx itself
			subjects = append(subjects, s)
		}
	}
	return ScanBackend{name, subjects, func() error {
		pool.Close()
		return errors.Join(db.Close(), end())
	}}, nil
}

// pgxSubjects returns the subjects that read from pgx itself.
func pgxSubjects(pool *pgxpool.Pool) []ScanSubject {
	const text = scanOne + "$1"
	collect := func(name string, into pgx.RowToFunc[ScanItem]) ScanSubject {
		return ScanSubject{
			name,
			func(ctx context.Context) ([]ScanItem, error) {
				rows, err := pool.Query(ctx, scanAll)
				if err != nil {
					return nil, err
				}
				return pgx.CollectRows(rows, into)
			},
			func(ctx context.Context, id int64) (ScanItem, error) {
				rows, err := pool.Query(ctx, text, id)
				if err != nil {
					return ScanItem{}, err
				}
				return pgx.CollectOneRow(rows, into)
			},
		}
	}
	return []ScanSubject{
		{"pgx, Scan by hand", pgxHandAll(pool), pgxHandOne(pool, text)},
		{"sessionproxy, engine/scan", pgxPlanAll(pool), pgxPlanOne(pool, text)},
		collect("pgx.RowToStructByPos", pgx.RowToStructByPos[ScanItem]),
		collect("pgx.RowToStructByName", pgx.RowToStructByName[ScanItem]),
		into("scany",
			func(ctx context.Context, items *[]ScanItem) error { return pgxscan.Select(ctx, pool, items, scanAll) },
			func(ctx context.Context, it *ScanItem, id int64) error { return pgxscan.Get(ctx, pool, it, text, id) }),
	}
}

// pgxHandAll reads all rows as fast as pgx can: straight into the slice.
func pgxHandAll(pool *pgxpool.Pool) func(ctx context.Context) ([]ScanItem, error) {
	return func(ctx context.Context) (items []ScanItem, err error) {
		rows, err := pool.Query(ctx, scanAll)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			items = append(items, ScanItem{})
			it := &items[len(items)-1]
			if err := rows.Scan(&it.ID, &it.Name, &it.Note, &it.Price, &it.Stock, &it.Active, &it.Image, &it.CreatedAt); err != nil {
				return nil, err
			}
		}
		return items, rows.Err()
	}
}

func pgxHandOne(pool *pgxpool.Pool, text string) func(ctx context.Context, id int64) (ScanItem, error) {
	return func(ctx context.Context, id int64) (it ScanItem, err error) {
		err = pool.QueryRow(ctx, text, id).Scan(
			&it.ID, &it.Name, &it.Note, &it.Price, &it.Stock, &it.Active, &it.Image, &it.CreatedAt)
		return it, err
	}
}

func pgxPlanAll(pool *pgxpool.Pool) func(ctx context.Context) ([]ScanItem, error) {
	return func(ctx context.Context) ([]ScanItem, error) {
		rows, err := pool.Query(ctx, scanAll)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		plan, err := scan.PlanFor[ScanItem](pgxColumns(rows))
		if err != nil {
			return nil, err
		}
		return plan.Append(rows, nil)
	}
}

func pgxPlanOne(pool *pgxpool.Pool, text string) func(ctx context.Context, id int64) (ScanItem, error) {
	return func(ctx context.Context, id int64) (it ScanItem, err error) {
		rows, err := pool.Query(ctx, text, id)
		if err != nil {
			return it, err
		}
		defer rows.Close()
		plan, err := scan.PlanFor[ScanItem](pgxColumns(rows))
		if err != nil {
			return it, err
		}
		if !rows.Next() {
			return it, errors.Join(rows.Err(), pgx.ErrNoRows)
		}
		if err := plan.Scan(rows, &it); err != nil {
			return it, err
		}
		rows.Close()
		return it, rows.Err()
	}
}

func pgxColumns(rows pgx.Rows) []string {
	fields := rows.FieldDescriptions()
	columns := make([]string, len(fields))
	for i, f := range fields {
		columns[i] = f.Name
	}
	return columns
}
