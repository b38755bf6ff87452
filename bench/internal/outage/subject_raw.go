package outage

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func never(error) bool { return false }

func openRaw(ctx context.Context, c *pgxpool.Config) (Client, error) {
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return Client{}, err
	}
	do := func(ctx context.Context, s Statement, arg int64) error { return run(ctx, pool, s, arg) }
	return Client{Do: do, Refused: never, Close: pool.Close}, nil
}

// openByHand is what a careful engineer writes: three more attempts, with
// growing pauses, at what was not sent, and at reads that lost their connection
// or met a server that stops or starts.
func openByHand(ctx context.Context, c *pgxpool.Config) (Client, error) {
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return Client{}, err
	}
	do := func(ctx context.Context, s Statement, arg int64) error {
		const attempts = 4
		pause := 50 * time.Millisecond
		for n := 1; ; n++ {
			err := run(ctx, pool, s, arg)
			if err == nil || n == attempts || !worthAnother(err, s) {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(pause):
				pause *= 2
			}
		}
	}
	return Client{Do: do, Refused: never, Close: pool.Close}, nil
}

// worthAnother reports whether an error may be gone at the next attempt, and the
// attempt does no harm.
func worthAnother(err error, s Statement) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if _, unconnected := errors.AsType[*pgconn.ConnectError](err); unconnected || pgconn.SafeToRetry(err) {
		return true
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return !s.Write && (strings.HasPrefix(answer.Code, "08") || strings.HasPrefix(answer.Code, "57P"))
	}
	return !s.Write // the connection broke
}
