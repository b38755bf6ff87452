package middleware

import (
	"math"
	"sync/atomic"
)

// hedgeBudget bounds second attempts to a part of all calls. It counts in
// thousandths of an attempt and is safe for concurrent use.
type hedgeBudget struct {
	earns int64
	left  atomic.Int64
}

const (
	hedgeCost  = 1000
	hedgeSaved = 10 * hedgeCost // at most
)

func newHedgeBudget(fraction float64) *hedgeBudget {
	b := &hedgeBudget{earns: max(1, int64(math.Round(fraction*hedgeCost)))}
	b.left.Store(hedgeSaved)
	return b
}

// earn adds what a call is worth.
func (b *hedgeBudget) earn() {
	for {
		left := b.left.Load()
		if left >= hedgeSaved || b.left.CompareAndSwap(left, min(left+b.earns, hedgeSaved)) {
			return
		}
	}
}

// spend pays for an attempt, if there is enough left.
func (b *hedgeBudget) spend() bool {
	for {
		left := b.left.Load()
		if left < hedgeCost {
			return false
		}
		if b.left.CompareAndSwap(left, left-hedgeCost) {
			return true
		}
	}
}
