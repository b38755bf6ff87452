package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sessionproxy/sessionproxy/bench/internal/pgfake"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// A PGXServer is what pgx is measured on.
type PGXServer struct {
	// Name is what the table calls it.
	Name string
	// Config makes the configuration of a pool of one connection.
	Config func() (*pgxpool.Config, error)
	// Close ends the server.
	Close func() error
}

// The statements that are measured.
const (
	pgxOne    = "SELECT 1"
	pgxUpdate = "UPDATE counters SET n = n + 1 WHERE id = $1"
	pgxItems  = "SELECT id, name FROM items"
	pgxItem   = "SELECT id, name FROM items WHERE id = $1"
	pgxTable  = "copied"
)

const (
	pgxRows     = 1_000
	pgxBatch    = 100
	pgxCopyRows = 100_000
)

// FakePGX returns the in-process back end, which has all answers ready.
func FakePGX() (PGXServer, error) {
	columns := []pgfake.Column{{Name: "id", OID: pgtype.Int8OID}, {Name: "name", OID: pgtype.TextOID}}
	rows := make([][]any, pgxRows)
	for i := range rows {
		rows[i] = []any{int64(i), itemName(i)}
	}
	fake, err := pgfake.New(
		pgfake.Statement{SQL: pgxOne, Columns: []pgfake.Column{{Name: "?column?", OID: pgtype.Int4OID}}, Rows: [][]any{{int32(1)}}, Tag: "SELECT 1"},
		pgfake.Statement{SQL: pgxUpdate, Params: []uint32{pgtype.Int8OID}, Tag: "UPDATE 1"},
		pgfake.Statement{SQL: pgxItems, Columns: columns, Rows: rows, Tag: fmt.Sprintf("SELECT %d", pgxRows)},
		pgfake.Statement{SQL: pgxItem, Params: []uint32{pgtype.Int8OID}, Columns: columns, Rows: rows[1:2], Tag: "SELECT 1"},
		pgfake.Statement{SQL: `select "id", "name" from "copied"`, Columns: columns, Tag: "SELECT 0"},
		pgfake.Statement{SQL: `copy "copied" ( "id", "name" ) from stdin binary;`, Tag: fmt.Sprintf("COPY %d", pgxCopyRows)},
		pgfake.Statement{SQL: pgxForget, Tag: "TRUNCATE TABLE"},
	)
	if err != nil {
		return PGXServer{}, err
	}
	config := func() (*pgxpool.Config, error) {
		c, err := poolConfig("postgres://bench@db.example.com/shop?sslmode=disable")
		if err != nil {
			return nil, err
		}
		c.ConnConfig.DialFunc = fake.Dial
		c.ConnConfig.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
		return c, nil
	}
	return PGXServer{"an in-process back end without a database", config, func() error { return nil }}, nil
}

// RealPGX returns a private PostgreSQL behind its Unix socket, or the server
// that the environment names to package dbtest, with the tables that are used.
func RealPGX(ctx context.Context) (PGXServer, error) {
	db, giveBack, err := dbtest.Borrow(ctx, dbtest.KindPostgres)
	if err != nil {
		return PGXServer{}, fmt.Errorf("bench: %w", err)
	}
	server, err := postgresWith(ctx, db)
	server.Close = giveBack
	if err != nil {
		return PGXServer{}, errors.Join(err, giveBack())
	}
	return server, nil
}

// postgresWith makes the tables in a database that somebody else closes.
func postgresWith(ctx context.Context, db dbtest.Database) (PGXServer, error) {
	name, url := "PostgreSQL behind a Unix socket", db.SocketDSN()
	if db.Socket == "" {
		name, url = "PostgreSQL behind TCP", db.URL()
	}
	_, err := db.Query(ctx, fmt.Sprintf(`
		CREATE UNLOGGED TABLE counters (id bigint PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 10);
		INSERT INTO counters VALUES (1, 0);
		CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL);
		INSERT INTO items SELECT i, 'item ' || i FROM generate_series(0, %d) AS i;
		CREATE UNLOGGED TABLE copied (id bigint NOT NULL, name text NOT NULL);
		ANALYZE`, pgxRows-1))
	config := func() (*pgxpool.Config, error) { return poolConfig(url) }
	return PGXServer{name, config, func() error { return nil }}, err
}

// poolConfig returns the configuration of a pool of one connection.
func poolConfig(url string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	c.MaxConns = 1
	return c, nil
}

func itemName(i int) string { return fmt.Sprintf("item %d", i) }
