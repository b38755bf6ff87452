package retry_test

import (
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/retry"
)

func TestABadOptionIsNamedWithItsValue(t *testing.T) {
	t.Parallel()
	const group = "want a group of this package, a base from 0 and a limit from base"
	for want, opt := range map[string]retry.Option{
		"retry: WithAttempts(0): want 1 to 100":                         retry.WithAttempts(0),
		"retry: WithAttempts(101): want 1 to 100":                       retry.WithAttempts(101),
		"retry: WithBackoff(invalid, 1s, 1s): " + group:                 retry.WithBackoff(9, time.Second, time.Second),
		"retry: WithBackoff(overload, -1s, 1s): " + group:               retry.WithBackoff(retry.Overload, -time.Second, time.Second),
		"retry: WithBackoff(connection, 2s, 1s): " + group:              retry.WithBackoff(retry.Connection, 2*time.Second, time.Second),
		"retry: WithJitter(nil): want a function":                       retry.WithJitter(nil),
		"retry: WithBudget(nil): want a budget; WithoutBudget has none": retry.WithBudget(nil),
		"retry: WithClassifier(nil): want a function":                   retry.WithClassifier(nil),
		"retry: WithVerifyCommit(nil): want a function":                 retry.WithVerifyCommit(nil),
		"retry: WithVerifyTimeout(0s): want more than 0":                retry.WithVerifyTimeout(0),
		"retry: WithMeterProvider(nil): want a provider":                retry.WithMeterProvider(nil),
	} {
		// The first bad option is the one that is told.
		if r, err := retry.New(nil, opt, retry.WithAttempts(-1)); err == nil || err.Error() != want || r != nil {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestOneAttemptMeansNoRepetition(t *testing.T) {
	t.Parallel()
	if n := performs(t.Context(), newRetry(t, retry.WithAttempts(1)), always(serialization), exec); n != 1 {
		t.Errorf("performed %d times", n)
	}
}

func TestAGroupHasAName(t *testing.T) {
	t.Parallel()
	for g, want := range map[retry.Group]string{
		retry.Contention: "contention", retry.Connection: "connection", retry.Overload: "overload", 7: "invalid",
	} {
		if got := g.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
