package main

import (
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

// TestGeneratedCodeRunsUnchanged looks for what the generated code returned,
// and for its spans.
func TestGeneratedCodeRunsUnchanged(t *testing.T) {
	t.Parallel()
	dbtest.Postgres(t) // skips here where there is no server
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for fact, pattern := range map[string]string{
		"COPY":                          `pgx: 3 books by COPY\n`,
		"a unit lends two books":        `pgx: Ada has \[\{Dune false\} \{Emma false\}\]\n`,
		"a batch brings them back":      `pgx: book 0 has 2 copies\npgx: book 1 has 1 copies\npgx: book 2 has 1 copies\n`,
		"database/sql, on both levels":  `(database/sql: Grace has \[\{Dune false\}\]\n){2}`,
		"a span of the COPY":            `(?m)^COPY "books" `,
		"a unit with its statements":    `(?m)^transaction .*\n├─ BEGIN .*\n├─ SELECT books .*\n├─ UPDATE books .*\n├─ INSERT loans .*\n├─ SELECT books .*\n├─ UPDATE books .*\n├─ INSERT loans .*\n└─ COMMIT `,
		"a span of a batch of writes":   `(?m)^BATCH UPDATE loans UPDATE books `,
		"a span of a batch of queries":  `(?m)^BATCH SELECT books `,
		"the same unit on database/sql": `(?m)^transaction .*\n├─ connect .*\n├─ BEGIN .*\n├─ SELECT books .*\n├─ UPDATE books .*\n├─ INSERT loans .*\n└─ COMMIT `,
	} {
		if !regexp.MustCompile(pattern).MatchString(out.String()) {
			t.Errorf("%s: no match for %s", fact, pattern)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
