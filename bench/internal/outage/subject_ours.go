package outage

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/preset"
)

// ourLimits are the two options that the documentation asks everybody to set: as
// many calls at once as the pool has connections, and a limit to an attempt.
func ourLimits() []preset.Option {
	return []preset.Option{preset.WithLimit(poolSize), preset.WithAttemptTimeout(deadline / 2)}
}

// openOurs has this library's defaults, and options. Reads are declared to be
// some.
func openOurs(opts ...preset.Option) func(ctx context.Context, c *pgxpool.Config) (Client, error) {
	return func(ctx context.Context, c *pgxpool.Config) (Client, error) {
		p, err := preset.New(opts...)
		if err != nil {
			return Client{}, err
		}
		pool, err := pgxdb.NewPoolWithConfig(ctx, c, p.Chain())
		if err != nil {
			return Client{}, errors.Join(err, p.Close())
		}
		do := func(ctx context.Context, s Statement, arg int64) error {
			if !s.Write {
				ctx = sp.WithReadOnly(ctx)
			}
			_, err := pool.Exec(ctx, s.SQL, arg)
			return err
		}
		refused := func(err error) bool { return errors.Is(err, fault.ErrRejected) }
		return Client{Do: do, Refused: refused, Close: func() {
			pool.Close()
			_ = p.Close()
		}}, nil
	}
}

const (
	// poolSize is how many connections each subject may have.
	poolSize = 10
	// deadline is how long a caller waits.
	deadline = time.Second
)
