package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

func TestTheOutputTellsWhatHappened(t *testing.T) {
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
			for fact, pattern := range map[string]string{
				"a method is the parent of its statements": `(?s)open accounts.*─ session.commit .*(INSERT|BATCH)`,
				"a key is looked up":                       `(?s)transfer .*─ session.get_one .*─ SELECT .account. `,
				"a transfer is three statements":           `(?s)transfer .*(UPDATE.*UPDATE.*INSERT|BATCH)`,
				"a lost race is no silent overwrite":       `race +noticed: .*account: 0 rows where 1 was expected`,
				"ann":                                      `ann +40\.00, changed 2 times\n`,
				"bob":                                      `bob +81\.00, changed 3 times\n`,
				"the transfers":                            `transfers 2, and one refused: not enough money\n`,
			} {
				if !regexp.MustCompile(pattern).MatchString(out.String()) {
					t.Errorf("%s: no match for %s", fact, pattern)
				}
			}
			if t.Failed() {
				t.Log(out.String())
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
	if err := run(t.Context(), "nosuch://db", &strings.Builder{}); err == nil {
		t.Error("an unknown database was opened")
	}
}
