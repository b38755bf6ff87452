package outage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

// warmUp is how long an overload lasts before it is measured.
const warmUp = 5 * time.Second

// Sweep returns a scenario that shows whether a limit finds its number: five times
// too many callers, measured when that has lasted for a while; and its subjects, the
// limits that adapt and fixed ones.
func Sweep() (Scenario, []Subject) {
	s := Scenario{
		Name: "sweep", Title: "five times too many callers, from five seconds after they came",
		Load: Load{20, []Part{{Statement: heavy, Weight: 1}}}, InTurn: true, Hold: 10 * time.Second, Steady: true,
		Inflict: flood(5),
	}
	subjects := []Subject{
		{"sessionproxy, adaptive limit", openLimited(func() (sp.Interceptor, error) { return adaptivelimit.New() })},
		{"failsafe-go adaptive limiter", openFailsafeLimiter},
	}
	for _, n := range []int{1, 2, 3, 4, 6, 10} {
		subjects = append(subjects, Subject{fmt.Sprintf("limit of %d", n), openLimited(func() (sp.Interceptor, error) { return limit.New(n) })})
	}
	return s, subjects
}

// flood is surge, of which the fault is what comes after a while.
func flood(times float64) func(ctx context.Context, s *stage) error {
	return func(ctx context.Context, s *stage) error {
		load := Load{Rate: times * s.capacity, Mix: []Part{{Statement: heavy, Weight: 1}}}
		limited, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.drive(limited, load, s.seed+1)
		}()
		err := pause(ctx, min(warmUp, s.scenario.Hold))
		s.gone()
		err = errors.Join(err, s.hold(ctx))
		s.returned()
		cancel()
		<-ended
		return err
	}
}

// openLimited has nothing but a limit.
func openLimited(link func() (sp.Interceptor, error)) func(ctx context.Context, c *pgxpool.Config) (Client, error) {
	return func(ctx context.Context, c *pgxpool.Config) (Client, error) {
		l, err := link()
		if err != nil {
			return Client{}, err
		}
		pool, err := pgxdb.NewPoolWithConfig(ctx, c, sp.NewChain(l))
		if err != nil {
			return Client{}, err
		}
		do := func(ctx context.Context, s Statement, arg int64) error {
			_, err := pool.Exec(ctx, s.SQL, arg)
			return err
		}
		refused := func(err error) bool { return errors.Is(err, fault.ErrRejected) }
		client := Client{Do: do, Refused: refused, Close: pool.Close}
		if a, ok := l.(*adaptivelimit.Limiter); ok {
			client.Limit = func() int { return settled(a) }
		}
		return client, nil
	}
}

// settled returns the limit for the one database there is.
func settled(l *adaptivelimit.Limiter) int {
	for _, s := range l.Stats() {
		return s.Limit
	}
	return 0
}
