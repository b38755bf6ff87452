package outage

import (
	"context"
	"errors"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sony/gobreaker/v2"
)

// openGobreaker has gobreaker's defaults: it opens after six failures in a row,
// for a minute.
func openGobreaker(ctx context.Context, c *pgxpool.Config) (Client, error) {
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return Client{}, err
	}
	brk := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{})
	do := func(ctx context.Context, s Statement, arg int64) error {
		_, err := brk.Execute(func() (struct{}, error) { return struct{}{}, run(ctx, pool, s, arg) })
		return err
	}
	refused := func(err error) bool {
		return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
	}
	return Client{Do: do, Refused: refused, Close: pool.Close}, nil
}

// openFailsafeBreaker has failsafe-go's defaults: it opens after one failure, for
// a minute.
func openFailsafeBreaker(ctx context.Context, c *pgxpool.Config) (Client, error) {
	return openFailsafe(ctx, c, circuitbreaker.NewWithDefaults[any](), circuitbreaker.ErrOpen)
}

// openFailsafeLimiter has failsafe-go's defaults: 1 to 200 at once, 20 at first,
// and no queue.
func openFailsafeLimiter(ctx context.Context, c *pgxpool.Config) (Client, error) {
	limiter := adaptivelimiter.NewWithDefaults[any]()
	client, err := openFailsafe(ctx, c, limiter, adaptivelimiter.ErrExceeded)
	client.Limit = limiter.Limit
	return client, err
}

func openFailsafe(ctx context.Context, c *pgxpool.Config, policy failsafe.Policy[any], refusal error) (Client, error) {
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return Client{}, err
	}
	executor := failsafe.With(policy)
	do := func(ctx context.Context, s Statement, arg int64) error {
		return executor.WithContext(ctx).Run(func() error { return run(ctx, pool, s, arg) })
	}
	return Client{Do: do, Refused: func(err error) bool { return errors.Is(err, refusal) }, Close: pool.Close}, nil
}
