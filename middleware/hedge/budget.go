package hedge

import (
	"math"
	"sync/atomic"
)

// budget bounds second attempts to a part of all calls. It counts in
// thousandths of an attempt and is safe for concurrent use.
type budget struct {
	earns int64
	left  atomic.Int64
}

const (
	cost  = 1000
	saved = 10 * cost // at most
)

func newBudget(fraction float64) *budget {
	b := &budget{earns: max(1, int64(math.Round(fraction*cost)))}
	b.left.Store(saved)
	return b
}

// earn adds what a call is worth.
func (b *budget) earn() {
	for {
		left := b.left.Load()
		if left >= saved || b.left.CompareAndSwap(left, min(left+b.earns, saved)) {
			return
		}
	}
}

// spend pays for an attempt, if there is enough left.
func (b *budget) spend() bool {
	for {
		left := b.left.Load()
		if left < cost {
			return false
		}
		if b.left.CompareAndSwap(left, left-cost) {
			return true
		}
	}
}

// refund gives back what was paid for an attempt that was not made.
func (b *budget) refund() { b.left.Add(cost) }
