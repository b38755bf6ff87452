package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTheOutputTellsWhatHappened looks for facts, not for numbers: those are
// measured anew in each run.
func TestTheOutputTellsWhatHappened(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for fact, pattern := range map[string]string{
		"a statement meets a real lock":             `UPDATE stock .*✗ lock_timeout \(5\)`,
		"its transaction is rolled back, repeated":  `(?s)✗ lock_timeout.*ROLLBACK.*• retry .*BEGIN.*UPDATE stock.*INSERT sales.*COMMIT`,
		"by a replay that read the stock anew":      `replays +1; two sellers sold a lamp each, and 2 are gone`,
		"connections fail while the folder is away": `connect .*✗ connect \(14\)`,
		"which opens the breaker":                   `• breaker.state .*detail=open`,
		"which refuses calls":                       `SELECT .*✗ rejected`,
		"each of them":                              `refusals +[1-9]\d*, in \S+ on average`,
		"and recovers":                              `breaker +closed → open for \S+ → half_open for \S+ → closed\n`,
		"operations are counted by failure":         `database operations +\d+, failed: connect \(14\) ×\d+, lock_timeout \(5\) ×1, rejected ×\d+\n`,
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
	err := run(ctx, &out)
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "quickstart: open the shop: ") {
		t.Errorf("run() = %v, want the act that failed, and why", err)
	}
}
