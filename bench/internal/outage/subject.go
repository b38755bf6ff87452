package outage

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/preset"
)

// A Statement is one call to make. It is one statement in a transaction of its
// own.
type Statement struct {
	// SQL has one parameter, a bigint.
	SQL string
	// Write says that it changes something: nobody may send it twice without
	// knowing that the first time came to nothing.
	Write bool
}

// A Subject is one way of calling the database.
type Subject struct {
	// Name is what tables and pictures call it.
	Name string
	// Open prepares it to call the database of a pool's configuration, which is
	// its own.
	Open func(ctx context.Context, c *pgxpool.Config) (Client, error)
}

// A Client is an open subject.
type Client struct {
	// Do makes a call. It is safe for concurrent use.
	Do func(ctx context.Context, s Statement, arg int64) error
	// Refused reports whether an error is a refusal of the client's own.
	Refused func(err error) bool
	// Limit returns how many calls may run at once now; nil if that does not change.
	Limit func() int
	// Close ends it.
	Close func()
}

// Subjects returns all subjects, raw pgx first.
func Subjects() []Subject {
	return []Subject{
		{"raw pgx", openRaw},
		{"retry by hand", openByHand},
		{"gobreaker", openGobreaker},
		{"failsafe-go breaker", openFailsafeBreaker},
		{"failsafe-go adaptive limiter", openFailsafeLimiter},
		{"sessionproxy", openOurs()},
		{"sessionproxy, limits", openOurs(ourLimits()...)},
		{"sessionproxy, adaptive limit", openOurs(preset.WithAdaptiveLimit(adaptivelimit.WithMax(poolSize)))},
	}
}

// run performs a statement and reads what it returns.
func run(ctx context.Context, pool *pgxpool.Pool, s Statement, arg int64) error {
	_, err := pool.Exec(ctx, s.SQL, arg)
	return err
}
