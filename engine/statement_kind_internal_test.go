package engine

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

func TestVerbTellsRowsAndChanges(t *testing.T) {
	t.Parallel()
	reads := verb{rows: true, readOnly: true, cursor: true, data: true}
	for text, want := range map[string]verb{
		"SELECT 1":                                              reads,
		" /* c */ select a from t":                              reads,
		"(SELECT 1) UNION (SELECT 2)":                           reads,
		"VALUES (1), (2)":                                       reads,
		"WITH x AS (SELECT 1) SELECT * FROM x":                  reads,
		"SELECT replace(a, 'x', 'y') FROM t":                    reads,
		"SELECT 'update' FROM t -- delete":                      reads,
		`SELECT "insert" FROM t`:                                reads,
		"SELECT 1;":                                             reads,
		"SELECT a FROM t FOR UPDATE":                            {rows: true, data: true},
		"SELECT a INTO b FROM t":                                {rows: true, data: true},
		"WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x": {rows: true, data: true},
		"SHOW TABLES":                                           {rows: true, readOnly: true},
		"EXPLAIN SELECT 1":                                      {rows: true, readOnly: true},
		"EXPLAIN ANALYZE DELETE FROM t":                         {rows: true},
		"PRAGMA user_version = 1":                               {rows: true},
		"CALL p(1)":                                             {rows: true},
		"INSERT INTO t VALUES (1)":                              {inserts: true, data: true},
		"REPLACE INTO t VALUES (1)":                             {inserts: true, data: true},
		"INSERT INTO t VALUES (1) RETURNING id":                 {rows: true, inserts: true, data: true},
		"INSERT INTO t (returning) VALUES (1)":                  {inserts: true, data: true},
		"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x":    {inserts: true, data: true},
		"WITH x AS (INSERT INTO t VALUES (1) RETURNING a) DELETE FROM u": {data: true},
		"UPDATE t SET a = 1":             {data: true},
		"UPDATE t SET a = 1 RETURNING a": {rows: true, data: true},
		"DELETE FROM t WHERE a = ?":      {data: true},
		"CREATE TABLE t AS SELECT 1":     {},
		"BEGIN":                          {},
		"":                               {},
		"-- nothing":                     {},
		"SELECT 1; DELETE FROM t":        {rows: true},
		"DELETE FROM t; SELECT 1":        {rows: true},
	} {
		for _, d := range []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite, sqltext.Generic} {
			if got := readVerb(d, text); got != want {
				t.Errorf("%s: %+v, want %+v", text, got, want)
			}
		}
	}
}

func TestVerbOfAKnownTextAllocatesNothing(t *testing.T) {
	const text = "SELECT a FROM t WHERE b = $1"
	verbOf(sqltext.PostgreSQL, text)
	if n := alloctest.PerRun(100, func() { verbOf(sqltext.PostgreSQL, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzVerb(f *testing.F) {
	f.Add("WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x")
	f.Fuzz(func(t *testing.T, text string) {
		v := readVerb(sqltext.SQLite, text)
		if v.cursor && !v.rows || v.inserts && v.readOnly {
			t.Errorf("%q: %+v", text, v)
		}
		// A word of change in front makes it no reading statement.
		if readVerb(sqltext.SQLite, "DELETE FROM t WHERE a = ("+text+")").readOnly {
			t.Errorf("%q hides a DELETE", text)
		}
	})
}
