package timeout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

// took runs a query of the text that takes d, and returns the limit that ended
// it; or 0.
func took(t *testing.T, link sp.Interceptor, text string, d time.Duration) time.Duration {
	t.Helper()
	call := linktest.Statement(t.Context(), sp.OpQuery, text, &linktest.Script{Act: func(ctx context.Context, _ *sp.Call) error {
		return linktest.Sleeps(ctx, d)
	}})
	_, err := attach.Run(t.Context(), call, sp.NewChain(link).Then(attach.Perform))
	if late, ok := errors.AsType[*timeout.Error](err); ok {
		return late.Limit
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

func learns(t *testing.T, multiple float64, least time.Duration) sp.Interceptor {
	t.Helper()
	return linktest.Must(t)(timeout.New(time.Second, timeout.WithPercentile(0.95, multiple, least)))
}

func TestTheLimitFollowsTheStatementsOwnLatency(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		link := learns(t, 10, 0)
		const quick, slow = "SELECT quick", "SELECT slow"
		if got := took(t, link, quick, time.Hour); got != time.Second {
			t.Errorf("with nothing known the limit is %v", got)
		}
		for range 200 {
			took(t, link, quick, time.Millisecond)
			took(t, link, slow, 300*time.Millisecond)
		}
		// Ten times a millisecond, and up to a quarter more by the histogram.
		if got := took(t, link, quick, time.Hour); got < 10*time.Millisecond || got > 12500*time.Microsecond {
			t.Errorf("the limit of the quick one is %v", got)
		}
		if got := took(t, link, slow, time.Hour); got != time.Second {
			t.Errorf("the limit of the slow one is %v, want what New says at most", got)
		}
	})
}

func TestTheLimitIsNeverBelowTheLeast(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		link := learns(t, 2, 100*time.Millisecond)
		for range 200 {
			took(t, link, "SELECT 1", time.Millisecond)
		}
		if got := took(t, link, "SELECT 1", time.Hour); got != 100*time.Millisecond {
			t.Errorf("the limit is %v", got)
		}
	})
}

// TestAStatementThatGetsSlowerForGoodRaisesItsLimit holds that what the limit
// ends does not keep it where it is.
func TestAStatementThatGetsSlowerForGoodRaisesItsLimit(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		link := learns(t, 2, 0)
		for range 1000 {
			took(t, link, "SELECT 1", time.Millisecond)
		}
		ended := 0
		for took(t, link, "SELECT 1", 50*time.Millisecond) != 0 {
			if ended++; ended > 1000 {
				t.Fatal("the limit does not follow")
			}
		}
		if ended == 0 {
			t.Error("the limit had not learned")
		}
	})
}

func TestBadPercentilesAreErrors(t *testing.T) {
	t.Parallel()
	for _, o := range []timeout.Option{
		timeout.WithPercentile(0.4, 2, 0), timeout.WithPercentile(0.995, 2, 0), timeout.WithPercentile(0.9, 0.5, 0),
		timeout.WithPercentile(0.9, 1001, 0), timeout.WithPercentile(0.9, 2, -1),
	} {
		if link, err := timeout.New(time.Second, o); link != nil || err == nil {
			t.Errorf("%v, %v", link, err)
		}
	}
}
