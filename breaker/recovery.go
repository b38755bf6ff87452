package breaker

import (
	"math/rand/v2"
	"time"
)

// reopening decides how long a circuit stays open each time. It is guarded by
// the circuit's mu.
type reopening struct {
	step     int           // how often it was opened in a row
	closedAt time.Duration // when it last closed, on the clock of the config
}

// spread is how much longer than planned a circuit may stay open, by chance, so
// that many processes do not probe at one moment.
const spread = 0.25

// relapse is how long after closing a circuit counts as healthy: one that opens
// earlier goes on with the open time it had come to. It is a multiple of the
// longest open time.
const relapse = 4

// next returns how long the circuit stays open now, from closed or after a
// failed probe: the first open time, then twice as long each time, up to the
// longest, and now up to most.
func (r *reopening) next(c *config, from State, now, most time.Duration) time.Duration {
	if from == StateClosed && now-r.closedAt > relapse*c.openTime {
		r.step = 0
	}
	d := c.openTime
	if r.step < 32 && c.firstOpen<<r.step < c.openTime {
		d = c.firstOpen << r.step
		r.step++
	}
	d = min(d, most)
	longest := time.Duration(spread * float64(d))
	return d + min(max(c.jitter(longest), 0), longest)
}

// evenly returns a duration from 0 to longest.
func evenly(longest time.Duration) time.Duration {
	return time.Duration(rand.Float64() * float64(longest))
}
