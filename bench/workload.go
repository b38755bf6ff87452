package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"

	_ "modernc.org/sqlite" // the embedded database
)

const statement = "INSERT INTO t (id) VALUES ($1)"

// A Workload is one operation, performed again and again.
type Workload struct {
	// Name is what the table calls it.
	Name string
	// Prepare readies the database and returns the operation.
	Prepare func(db *sql.DB) (func(ctx context.Context) error, error)
}

// Workloads are the operations measured on the fake driver.
var Workloads = []Workload{
	{"exec", func(db *sql.DB) (func(context.Context) error, error) {
		return func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, statement, int64(1))
			return err
		}, nil
	}},
	{"query", func(db *sql.DB) (func(context.Context) error, error) {
		return func(ctx context.Context) error { return query(ctx, db, statement, int64(1)) }, nil
	}},
	{"prepared exec", func(db *sql.DB) (func(context.Context) error, error) {
		stmt, err := db.Prepare(statement) //nolint:sqlclosecheck // it lives as long as its database
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			_, err := stmt.ExecContext(ctx, int64(1))
			return err
		}, nil
	}},
	{"transaction of one exec", func(db *sql.DB) (func(context.Context) error, error) {
		return func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, statement, int64(1)); err != nil {
				return err
			}
			return tx.Commit()
		}, nil
	}},
}

// SQLiteWorkloads are the operations measured on SQLite.
var SQLiteWorkloads = []Workload{
	{"point read", func(db *sql.DB) (func(context.Context) error, error) {
		if err := seed(db); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { return query(ctx, db, "SELECT id FROM t WHERE id = ?", int64(1)) }, nil
	}},
	{"update", func(db *sql.DB) (func(context.Context) error, error) {
		if err := seed(db); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, "UPDATE t SET n = n + 1 WHERE id = ?", int64(1))
			return err
		}, nil
	}},
}

// querier is a database, or a handle of one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func query(ctx context.Context, db querier, text string, args ...any) error {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close() //nolint:sqlclosecheck // its error counts too
}

func seed(db *sql.DB) error {
	for _, q := range []string{
		"CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
		"INSERT OR IGNORE INTO t VALUES (1, 0)",
	} {
		if _, err := db.ExecContext(context.Background(), q); err != nil {
			return fmt.Errorf("bench: seed: %w", err)
		}
	}
	return nil
}

// sqliteConnector opens a database file in dir.
func sqliteConnector(dir string) (driver.Connector, error) {
	dsn := "file:" + filepath.Join(dir, "bench.db") + "?_pragma=journal_mode(wal)&_pragma=synchronous(off)"
	probe, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	defer probe.Close()
	return dsnConnector{probe.Driver(), dsn}, nil
}

type dsnConnector struct {
	d   driver.Driver
	dsn string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.d.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.d }

// FakeConnector returns a connector of the in-memory driver.
func FakeConnector(string) (driver.Connector, error) { return fakeConnector{fakeDriver{}}, nil }

// SQLiteConnector returns a connector of a database file in dir.
func SQLiteConnector(dir string) (driver.Connector, error) { return sqliteConnector(dir) }
