package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// A deed is something a service does with its database; what it returns does
// not depend on the chain as long as nothing fails.
type deed[DB any] struct {
	name string
	do   func(ctx context.Context, db DB) (string, error)
}

// A shelf is a table with a few rows, behind a chain.
type shelf[DB any] struct {
	db    DB
	inUse func() int // connections
	close func() error
	// fragile says that a panic in a query loses its connection.
	fragile bool
}

// act does a deed as a request does: with a context of its own, on a goroutine
// of its own, which may panic or end.
func (d deed[DB]) act(db DB) (got string, err error) {
	base, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	ctx := context.WithValue(base, cancelKey{}, cancel)
	over := make(chan struct{})
	go func() {
		defer close(over)
		err = errors.New("the goroutine came to its end")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("a panic: %v", p)
			}
		}()
		got, err = d.do(ctx, db)
	}()
	<-over
	return got, err
}

// TestAnyOrderOfTheKitKeepsResults holds the first law: while nothing fails,
// no order of any of the interceptors changes what a service sees.
func TestAnyOrderOfTheKitKeepsResults(t *testing.T) {
	t.Parallel()
	t.Run("database/sql", func(t *testing.T) {
		t.Parallel()
		keepsResults(t, sqlDeeds, func() (plain, behind opener[*sqldb.DB]) { return sqlShelf, sqlShelf })
	})
	t.Run("pgx", func(t *testing.T) {
		t.Parallel()
		plain, behind := pgxShelf(t), pgxShelf(t)
		keepsResults(t, pgxDeeds, func() (_, _ opener[*pgxdb.Pool]) { return plain, behind })
	})
}

// opener makes a shelf anew.
type opener[DB any] func(t testing.TB, chain sp.Chain) shelf[DB]

func keepsResults[DB any](t *testing.T, deeds []deed[DB], shelves func() (plain, behind opener[DB])) {
	t.Helper()
	openPlain, openBehind := shelves()
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation(kitNames).Draw(rt, "order")[:rapid.IntRange(0, len(kitNames)).Draw(rt, "links")]
		todo := rapid.SliceOfN(rapid.SampledFrom(deeds), 1, 8).Draw(rt, "deeds")
		k := newKit(t, time.Minute, []string{passes})
		plain, behind := openPlain(t, sp.NewChain()), openBehind(t, k.chain(order))
		for _, d := range todo {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			want, wantErr := d.do(ctx, plain.db)
			got, err := d.do(ctx, behind.db)
			cancel()
			if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				rt.Errorf("%s: %q, error %v; without the chain %q, error %v", d.name, got, err, want, wantErr)
			}
		}
		if err := errors.Join(plain.close(), behind.close(), k.settled(order)); err != nil {
			rt.Error(err)
		}
	})
}

// TestNoOrderOfTheKitLeaks holds the second: whatever fails, hangs, panics or
// is given up below any order of the interceptors, every call and span ends
// once, permits and connections come back, and the service works afterwards.
func TestNoOrderOfTheKitLeaks(t *testing.T) {
	t.Parallel()
	t.Run("database/sql", func(t *testing.T) {
		t.Parallel()
		leaksNothing(t, sqlDeeds, sqlShelf)
	})
	t.Run("pgx", func(t *testing.T) {
		t.Parallel()
		leaksNothing(t, pgxDeeds, pgxShelf(t))
	})
}

func leaksNothing[DB any](t *testing.T, deeds []deed[DB], open opener[DB]) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation(kitNames).Draw(rt, "order")
		acts := rapid.SliceOfN(rapid.SampledFrom(mischief), 1, 12).Draw(rt, "acts")
		todo := rapid.SliceOfN(rapid.SampledFrom(deeds), 1, 8).Draw(rt, "deeds")
		k := newKit(t, 30*time.Millisecond, acts)
		s := open(t, k.chain(order))
		for _, d := range todo {
			_, _ = d.act(s.db)
		}
		k.trouble.off.Store(true)
		if err := works(k, deeds[0], s.db); err != nil {
			rt.Error(err)
		}
		lost := k.trouble.lost.Load()
		if n := s.idle(lost); n != 0 && !(s.fragile && lost) {
			rt.Fatalf("%d connections are in use", n) // closing a pool of pgx would wait for them
		}
		if err := errors.Join(s.close(), k.settled(order)); err != nil {
			rt.Error(err)
		}
	})
}

// idle waits a while for all connections to come back, which drivers see to in
// the background after a cancellation, and returns how many did not.
func (s shelf[DB]) idle(lost bool) int {
	wait := 20_000
	if s.fragile && lost {
		wait = 100 // for those that are not lost
	}
	for range wait {
		if s.inUse() == 0 {
			return 0
		}
		time.Sleep(time.Millisecond)
	}
	return s.inUse()
}

// works waits until the breaker has recovered: as many calls as the limit has
// permits, at once, all succeed.
func works[DB any](k *kit, d deed[DB], db DB) error {
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		errs := make([]error, k.limiter.Stats().Limit)
		over := make(chan struct{})
		for i := range errs {
			go func() {
				_, errs[i] = d.do(context.Background(), db)
				over <- struct{}{}
			}()
		}
		for range errs {
			<-over
		}
		if err = errors.Join(errs...); err == nil {
			return nil
		}
		time.Sleep(openTime)
	}
	return fmt.Errorf("the service does not recover: %w", err)
}

// settled says what has not come to its end, or has more than once.
func (k *kit) settled(order []string) error {
	err := errors.Join(k.calls.check("calls"), k.inner.check("attempts"))
	if slices.Contains(order, "tracing") {
		err = errors.Join(err, k.spans.check("spans"))
	}
	if s := k.limiter.Stats(); s.InUse != 0 || s.Waiting != 0 {
		err = errors.Join(err, fmt.Errorf("permits: %+v", s))
	}
	for _, s := range k.follows.Stats() {
		if s.InUse != 0 || s.Waiting != 0 {
			err = errors.Join(err, fmt.Errorf("permits of the adaptive limit: %+v", s))
		}
	}
	return err
}
