package middleware_test

import (
	"log/slog"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
)

// limiting returns a limiter of n.
func limiting(t testing.TB, n int, opts ...limit.Option) *limit.Limiter {
	t.Helper()
	l, err := limit.New(n, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// rating returns a limiter of a rate.
func rating(t testing.TB, perSecond float64, burst int) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(perSecond, burst)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// logs returns a logging interceptor and what it writes from level up.
func logs(t testing.TB, level slog.Level, opts ...logging.Option) (sp.Interceptor, *linktest.Recorder) {
	t.Helper()
	r := &linktest.Recorder{Level: level}
	return linktest.Must(t)(logging.New(slog.New(r), opts...)), r
}

// slowness returns an interceptor to which nothing is slow.
func slowness(t testing.TB) sp.Interceptor {
	t.Helper()
	return linktest.Must(t)(slowquery.New(slog.New(slog.DiscardHandler), time.Hour))
}

// hedgeAfterASecond returns an interceptor that hedges after a second.
func hedgeAfterASecond(t testing.TB) sp.Interceptor {
	t.Helper()
	return linktest.Must(t)(hedge.New(hedge.WithDelay(time.Second)))
}
