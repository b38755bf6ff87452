package outage

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestPickFollowsWeights(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var writes float64
	const n = 10_000
	for range n {
		if pick(rng, usual.Mix).Write {
			writes++
		}
	}
	if got := writes / n; math.Abs(got-0.2) > 0.02 {
		t.Errorf("part of writes is %v, want 0.2", got)
	}
}

// In a minute of virtual time as many calls arrive as the rate says, whether or
// not the ones before have ended, and drive returns when all have.
func TestDriveKeepsTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		refusal, ended := errors.New("refused"), 0
		client := Client{
			Do: func(ctx context.Context, s Statement, _ int64) error {
				if s.Write {
					return refusal
				}
				<-ctx.Done() // the caller's deadline
				return ctx.Err()
			},
			Refused: func(err error) bool { return errors.Is(err, refusal) },
		}
		var r recorder
		drive(ctx, usual, 1, clock{time.Now()}, client, &r)
		got := r.take()
		if n := len(got); math.Abs(float64(n)-6000) > 300 {
			t.Errorf("%d calls, want about 6000", n)
		}
		for i, s := range got {
			switch {
			case i > 0 && s.start < got[i-1].start:
				t.Fatal("samples are not in order")
			case s.write != (s.outcome == Refused):
				t.Fatalf("a call with write %v has outcome %v", s.write, s.outcome)
			case !s.write && s.took != deadline:
				t.Fatalf("a call took %v, want its deadline", s.took)
			}
			ended++
		}
	})
}
