package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Outcome is what came of a call.
type Outcome struct {
	// Began and Ended are when it began and ended.
	Began, Ended time.Time
	// Err is its error, or nil.
	Err error
}

// Refused reports that the call was refused by an interceptor.
func (o Outcome) Refused() bool { return errors.Is(o.Err, fault.ErrRejected) }

// Callers use a [DB], and keep what came of their calls. Fields are set before
// the first call.
type Callers struct {
	// DB is what they use.
	DB *DB
	// Seed decides what each call is.
	Seed uint64
	// OnConn has statements sent as a plain *sql.DB does, which takes the
	// connection before the chain is asked.
	OnConn bool
	// Takes is the mean time for which a statement keeps the server busy.
	Takes time.Duration
	// Conflicts is the part of the attempts at units of work, from 0 to 1, that the
	// server answers with a serialization failure.
	Conflicts float64

	calls sync.WaitGroup
	last  atomic.Uint64

	mu       sync.Mutex
	outcomes []Outcome
}

// Arrive has calls come at random, so many a second on average, until ctx ends,
// whatever became of those before. It returns when the last one has begun.
func (c *Callers) Arrive(ctx context.Context, perSecond float64) {
	dice := rand.New(rand.NewPCG(c.Seed, ^uint64(0)))
	for {
		gap := time.Duration(dice.ExpFloat64() / perSecond * float64(time.Second))
		if sleep(ctx, gap) != nil {
			return
		}
		c.calls.Go(c.Call)
	}
}

// Work makes one call after the other until ctx ends, with a pause between them.
func (c *Callers) Work(ctx context.Context, pause time.Duration) {
	for ctx.Err() == nil {
		c.Call()
		_ = sleep(ctx, pause)
	}
}

// Wait waits for the calls of [Callers.Arrive].
func (c *Callers) Wait() { c.calls.Wait() }

// Outcomes returns what came of the calls that have ended from, and before, the
// given moments.
func (c *Callers) Outcomes(from, before time.Time) []Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Outcome
	for _, o := range c.outcomes {
		if !o.Ended.Before(from) && o.Ended.Before(before) {
			out = append(out, o)
		}
	}
	return out
}

// Call makes one call, a statement or a unit of work, and returns its error.
func (c *Callers) Call() {
	dice := rand.New(rand.NewPCG(c.Seed, c.last.Add(1)))
	ctx := context.Background()
	if dice.IntN(2) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+dice.IntN(4000))*time.Millisecond+2*time.Second)
		defer cancel()
	}
	began := time.Now()
	err := c.perform(ctx, dice)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes = append(c.outcomes, Outcome{Began: began, Ended: time.Now(), Err: err})
}

func (c *Callers) perform(ctx context.Context, dice *rand.Rand) error {
	if dice.IntN(4) == 0 {
		return c.DB.RunInTx(ctx, func() []Work { return c.script(dice) })
	}
	w := c.statement(dice)
	switch {
	case !w.Writes:
		ctx = sp.WithReadOnly(ctx)
	case dice.IntN(2) == 0:
		ctx = sp.WithIdempotent(ctx)
	}
	switch {
	case c.OnConn:
		return c.DB.ExecOnConn(ctx, w)
	case !w.Writes:
		return c.DB.Query(ctx, w)
	}
	return c.DB.Exec(ctx, w)
}

// script makes up the statements of a unit.
func (c *Callers) script(dice *rand.Rand) []Work {
	script := make([]Work, 1+dice.IntN(3))
	for i := range script {
		script[i] = c.statement(dice)
	}
	if dice.Float64() < c.Conflicts {
		script[len(script)-1].Answer = errConflict
	}
	return script
}

// statement makes up a statement. One in fifty violates a constraint.
func (c *Callers) statement(dice *rand.Rand) Work {
	w := Work{Text: "SELECT n FROM t WHERE id = 1"}
	w.Takes = min(time.Duration(dice.ExpFloat64()*float64(c.Takes)), 10*c.Takes)
	if dice.IntN(2) == 0 {
		w.Text, w.Writes = "UPDATE t SET n = n + 1 WHERE id = 1", true
		if dice.IntN(50) == 0 {
			w.Answer = errDuplicate
		}
	}
	return w
}
