// Package ormtest is what the tests of orm, orm/expr and orm/rows have in common:
// each of the databases, with a schema, and sessions that are closed.
package ormtest

import (
	"context"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"    // MariaDB
	_ "github.com/sessionproxy/sessionproxy/engine/postgres" // PostgreSQL
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"   // SQLite
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Each runs test on each database, an empty one, at once.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/test.db" },
		"PostgreSQL": func(t *testing.T) string { return dbtest.Postgres(t).Database(t).URL() },
		"MariaDB":    func(t *testing.T) string { return dbtest.MariaDB(t).Database(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url(t))
		})
	}
}

// Open returns an engine that is disposed of with the test, on a database with the
// schema that its statements make.
func Open(t *testing.T, url string, schema map[sp.System][]string, opts ...engine.Option) *engine.Engine {
	t.Helper()
	eng, err := engine.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Dispose(); err != nil {
			t.Error(err)
		}
	})
	for _, text := range schema[eng.Dialect().System] {
		if _, err := eng.Execute(t.Context(), engine.Text(text)); err != nil {
			t.Fatal(err)
		}
	}
	return eng
}

// Session returns a session that is closed with the test.
func Session(t *testing.T, eng *engine.Engine, opts ...orm.Option) *orm.Session {
	t.Helper()
	s := orm.NewSession(eng, opts...)
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Check ends the test at the first error.
func Check(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
