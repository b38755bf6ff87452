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

// TestTheOutputTellsWhatHappened looks for facts, not for numbers that are
// measured anew in each run.
func TestTheOutputTellsWhatHappened(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for fact, pattern := range map[string]string{
		"connections are opened under a statement":  `(?s)CREATE TABLE.*connect`,
		"a statement that met a lock is repeated":   `UPDATE stock [^✗]*\n.*• retry .*class=lock_timeout`,
		"a transaction is repeated as a whole":      `(?s)sell in.*BEGIN.*SELECT stock.*UPDATE stock.*✗ lock_timeout \(5\).*ROLLBACK.*• retry .*BEGIN.*SELECT stock.*UPDATE stock.*COMMIT`,
		"its function ran twice":                    `its function ran 2 times`,
		"and no sale is lost":                       `sold by two writers: 12\n`,
		"connections fail while the folder is away": `connect .*✗ connect \(14\)`,
		"calls are refused":                         `SELECT .*✗ rejected`,
		"the breaker opens and recovers":            `closed → open → half_open → closed; [1-9] calls refused\n`,
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
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "thirddriver: open the shop: ") {
		t.Errorf("run() = %v, want the act that failed, and why", err)
	}
}
