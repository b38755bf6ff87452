package outage

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// A Load is what callers want of the database.
type Load struct {
	// Rate is how many calls arrive per second, at random.
	Rate float64
	// Mix is what they are; weights are relative to each other.
	Mix []Part
}

// A Part is one kind of call in a load.
type Part struct {
	Statement

	// Weight is how often it comes.
	Weight float64
	// Watched has its calls counted separately as well.
	Watched bool
	// Mark declares in the context what its calls are, such as their priority, which
	// is for subjects that ask; nil: nothing.
	Mark func(ctx context.Context) context.Context
}

// A clock tells the time since a round began.
type clock struct{ zero time.Time }

func (c clock) now() time.Duration { return time.Since(c.zero) }

// drive makes calls until ctx ends, and returns when all of them have ended. A
// late arrival is made up for at once, so that a slow machine does not lower the
// rate.
func drive(ctx context.Context, load Load, seed uint64, c clock, client Client, to *recorder) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var calls sync.WaitGroup
	defer calls.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next := c.now(); ; next += gap(rng, load.Rate) {
		timer.Reset(max(0, next-c.now()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		p, arg := pick(rng, load.Mix), rng.Int64N(rows)+1
		calls.Go(func() { to.add(call(context.WithoutCancel(ctx), c, client, p, arg)) })
	}
}

// gap returns the time to the next arrival of a Poisson process.
func gap(rng *rand.Rand, rate float64) time.Duration {
	return time.Duration(rng.ExpFloat64() / rate * float64(time.Second))
}

// pick chooses a part by its weight.
func pick(rng *rand.Rand, mix []Part) Part {
	var sum float64
	for _, p := range mix {
		sum += p.Weight
	}
	at := rng.Float64() * sum
	for _, p := range mix[:len(mix)-1] {
		if at -= p.Weight; at < 0 {
			return p
		}
	}
	return mix[len(mix)-1]
}

// call makes one call and tells how it ended.
func call(ctx context.Context, c clock, client Client, p Part, arg int64) sample {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if p.Mark != nil {
		ctx = p.Mark(ctx)
	}
	s := sample{start: c.now(), write: p.Write, watched: p.Watched}
	err := client.Do(ctx, p.Statement, arg)
	s.took = c.now() - s.start
	switch {
	case err == nil:
	case client.Refused(err):
		s.outcome = Refused
	default:
		s.outcome = Failed
	}
	return s
}
