package ratelimit

import (
	"math"
	"sync/atomic"
	"time"
)

// maxRate is the highest rate per second: one call per tick of the clock.
const maxRate = 1e9

// tokens are a token bucket without a lock. It keeps the one time at which the
// bucket will be full, in the manner of the generic cell rate algorithm (ITU-T
// I.371): each call puts it off by the time one token takes.
type tokens struct {
	burst int
	epoch time.Time
	each  time.Duration // the time one token takes
	slack time.Duration // the time all but one token of a burst take
	full  atomic.Int64  // when the bucket will be full, since the epoch
}

// newTokens returns a full bucket; nil for numbers out of range.
func newTokens(perSecond float64, burst int) *tokens {
	// Times are numbers of 64 bits, into which not every burst fits.
	const longest = float64(365 * 24 * time.Hour)
	each := math.Ceil(float64(time.Second) / perSecond)
	if perSecond > 0 && perSecond <= maxRate && burst >= 1 && each*float64(burst) <= longest {
		t := &tokens{burst: burst, epoch: time.Now(), each: time.Duration(each)}
		t.slack = time.Duration(burst-1) * t.each
		return t
	}
	return nil
}

// take takes a token that will be there after wait, unless that is longer than
// patience. turn names it to giveBack.
func (t *tokens) take(patience time.Duration) (wait time.Duration, turn int64, ok bool) {
	now := int64(time.Since(t.epoch))
	for {
		full := t.full.Load()
		wait = t.until(full, now)
		if wait > 0 && wait > patience {
			return wait, 0, false
		}
		turn = max(full, now) + int64(t.each)
		if t.full.CompareAndSwap(full, turn) {
			return wait, turn, true
		}
	}
}

// owe takes a token for a call that does not wait for it. Such calls put others
// off by one burst at most: more would be a debt that nobody has the time to pay.
func (t *tokens) owe() {
	now := int64(time.Since(t.epoch))
	for {
		full := t.full.Load()
		turn := max(full, now) + int64(t.each)
		if t.until(turn, now) > t.slack+t.each || t.full.CompareAndSwap(full, turn) {
			return
		}
	}
}

// wait returns how long take would have to wait; 0 or less for not at all.
func (t *tokens) wait() time.Duration {
	return t.until(t.full.Load(), int64(time.Since(t.epoch)))
}

func (t *tokens) until(full, now int64) time.Duration {
	return time.Duration(full-now) - t.slack
}

// giveBack gives back a token that was taken and not used. If another was
// taken after it, it is lost: those who wait for theirs can't be told that it
// will be there sooner.
func (t *tokens) giveBack(turn int64) {
	t.full.CompareAndSwap(turn, turn-int64(t.each))
}
