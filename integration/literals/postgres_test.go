package literals_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// TestPostgreSQL has PostgreSQL judge in each mode of its lexer.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindPostgres, dbtest.Config("shared_preload_libraries", "pg_stat_statements"))
	first := seed(t)
	for name, settings := range map[string]string{
		"as it is":                            "",
		"standard_conforming_strings off":     "SET standard_conforming_strings = off",
		"backslash_quote off":                 "SET standard_conforming_strings = off; SET backslash_quote = off",
		"backslash_quote on":                  "SET standard_conforming_strings = off; SET backslash_quote = on",
		"backslash_quote on, conforming":      "SET backslash_quote = on",
		"client_encoding GBK":                 "SET client_encoding = GBK; SET backslash_quote = on",
		"client_encoding SJIS, nonconforming": "SET client_encoding = SJIS; SET standard_conforming_strings = off; SET backslash_quote = on",
		"client_encoding LATIN1":              "SET client_encoding = LATIN1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := server.Admin()
			admin.Name = server.Database(t).Name
			conn, err := pgx.Connect(t.Context(), admin.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			j := postgresJudge{conn: conn.PgConn()}
			if err := j.exec(t.Context(), "CREATE EXTENSION pg_stat_statements; CREATE TABLE t (a text UNIQUE, b text); SET escape_string_warning = off;"+settings); err != nil {
				t.Fatal(err)
			}
			hold(t, j, sqltext.PostgreSQL, inPostgres, first+uint64(len(name)))
		})
	}
}

type postgresJudge struct{ conn *pgconn.PgConn }

func (j postgresJudge) exec(ctx context.Context, text string) error {
	_, err := j.conn.Exec(ctx, text).ReadAll()
	return err
}

// data implements [judge].
func (j postgresJudge) data(ctx context.Context, text string, markers []string) ([]string, bool, error) {
	if err := j.exec(ctx, "BEGIN; SELECT pg_stat_statements_reset(0, (SELECT oid FROM pg_database WHERE datname = current_database()), 0)"); err != nil {
		return nil, false, err
	}
	results, err := j.conn.Exec(ctx, text).ReadAll()
	var refused *pgconn.PgError
	if err != nil && !errors.As(err, &refused) {
		return nil, false, err
	}
	understood := err == nil
	var values []string
	for _, r := range results {
		for _, row := range r.Rows {
			for _, v := range row {
				values = append(values, string(v))
			}
		}
	}
	if err := j.exec(ctx, "ROLLBACK"); err != nil || !understood {
		return nil, false, err
	}
	rows, err := j.conn.Exec(ctx, "SELECT query FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())").ReadAll()
	if err != nil {
		return nil, false, err
	}
	var normal strings.Builder
	for _, row := range rows[0].Rows {
		normal.Write(row[0])
	}
	// Statements that differ in their names for columns alone are one there.
	valuesOnly := strings.Contains(text, ";")
	var out []string
	for _, m := range markers {
		if !valuesOnly && !strings.Contains(normal.String(), m) || anyShows(values, m) {
			out = append(out, m)
		}
	}
	return out, true, nil
}

func anyShows(values []string, marker string) bool {
	for _, v := range values {
		if shows(v, marker) {
			return true
		}
	}
	return false
}
