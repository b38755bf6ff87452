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

// TestTheOutputTellsWhatHappened looks for facts, not for times: those are
// measured anew in each run.
func TestTheOutputTellsWhatHappened(t *testing.T) {
	t.Parallel()
	dbtest.Postgres(t) // skips here where there is no server
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for fact, pattern := range map[string]string{
		"the pool's connection has a span": `(?s)fill the stock.*─ connect `,
		"COPY":                             `─ COPY "stock" `,
		"a uniform batch has its statement's name":  `─ BATCH UPDATE stock `,
		"a unit meets a real serialization failure": `UPDATE stock .*✗ serialization \(40001\)`,
		"is rolled back and performed again":        `(?s)✗ serialization.*ROLLBACK.*• retry .*BEGIN.*SELECT stock.*UPDATE stock.*COMMIT`,
		"a dead connection is replaced":             `(?s)lose every connection.*─ SELECT stock.*• retry .*─ connect `,
		"the stock":                                 `stock +503 items by COPY, 500 of them under one euro\n`,
		"no lamp is sold twice":                     `sellers +each sold a lamp, and 2 are gone\n`,
		"the connections that were ended":           `server +ended [1-9]\d* connections, and nobody noticed\n`,
		"what was repeated":                         `pipeline +repeated 2 times\n`,
	} {
		if !regexp.MustCompile(pattern).MatchString(out.String()) {
			t.Errorf("%s: no match for %s", fact, pattern)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestAFailureIsReported(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	if err := run(ctx, &out); !errors.Is(err, context.Canceled) {
		t.Errorf("run() = %v, want why", err)
	}
}
