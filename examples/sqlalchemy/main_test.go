package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

const printed = `1. a blocking session
   2 addresses
2. an async session
   ["Alice Smith" "Bob" "Alice Jones"]
3. one function for both
   async: false, Bobby, one of 3
   async: true, Bobby, one of 3
4. select, with conditions that the compiler checks
   Alice Smith, 30
   Alice Jones has 0 addresses
   Alice Smith has 2 addresses
   Bob has 0 addresses
5. async for
   Alice Smith is 31
   Bob is 18
   Alice Jones is 13
6. run_sync
   test has the key 4
7. query, the older style
   Alice Smith; an async session refuses: true
`

func TestTheOutputTellsWhatWasFound(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(*testing.T) string { return "sqlite::memory:" },
		"PostgreSQL": func(t *testing.T) string { return dbtest.Postgres(t).Database(t).URL() },
		"MariaDB":    func(t *testing.T) string { return dbtest.MariaDB(t).Database(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := run(t.Context(), url(t), &out); err != nil {
				t.Fatal(err)
			}
			if out.String() != printed {
				t.Errorf("got\n%s\nwant\n%s", out.String(), printed)
			}
		})
	}
}

func TestAFailureIsReported(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, "sqlite::memory:", &strings.Builder{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
