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
		"the picture":                   `(?m)^units   .*█`,
		"the first primary":             `primary a    readers b c\n`,
		"there was none":                `primary -    readers b c\n`,
		"the next primary":              `primary b    readers c\n`,
		"transfers, none of them fails": `transfers +[1-9]\d* acknowledged, 0 failed, `,
		"the ledger":                    `ledger +0 lost, 0 made twice\n`,
		"reads, none of them fails":     `reads +[1-9]\d*, 0 failed\n`,
	} {
		if !regexp.MustCompile(pattern).MatchString(out.String()) {
			t.Errorf("%s: no match for %s", fact, pattern)
		}
	}
	t.Log("\n" + out.String())
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
