package permits

import (
	"math"
	"sync/atomic"
)

// word is the limit and how many permits are held, in one word: while nobody
// waits, a permit is taken and given back without a lock. While somebody waits,
// or is about to, the word is contended: then only who holds the lock changes
// it, so that nobody overtakes those in line.
type word struct{ bits atomic.Uint64 }

// The parts of a word, from below: permits held, the limit, contended or not.
const (
	limitShift = 32
	oneMore    = 1
	heldMask   = 1<<limitShift - 1
	limitMask  = math.MaxInt32
	contended  = 1 << 63
)

func (w *word) init(limit int) { w.bits.Store(limitBits(limit)) }

// limitBits returns the limit's part; no process has two billion calls.
func limitBits(limit int) uint64 { return uint64(min(limit, limitMask)) << limitShift }

func held(bits uint64) uint64      { return bits & heldMask }
func limitOf(bits uint64) uint64   { return bits >> limitShift & limitMask }
func exhausted(bits uint64) bool   { return held(bits) >= limitOf(bits) }
func isContended(bits uint64) bool { return bits&contended != 0 }

// take takes a permit if one is free and nobody waits.
func (w *word) take() bool {
	for {
		bits := w.bits.Load()
		if isContended(bits) || exhausted(bits) {
			return false
		}
		if w.bits.CompareAndSwap(bits, bits+oneMore) {
			return true
		}
	}
}

// give gives a permit back if nobody waits.
func (w *word) give() bool {
	for {
		bits := w.bits.Load()
		if isContended(bits) {
			return false
		}
		if w.bits.CompareAndSwap(bits, bits-oneMore) {
			return true
		}
	}
}

// contend has take and give fail until relax. It and what follows are called
// with the lock.
func (w *word) contend() { w.bits.Or(contended) }

func (w *word) relax() { w.bits.And(^uint64(contended)) }

// add counts n permits more, or less. The word is contended.
func (w *word) add(n int) { w.bits.Store(w.bits.Load() + uint64(n)) } //nolint:gosec // two's complement

// setLimit changes the limit. The word is contended.
func (w *word) setLimit(limit int) {
	w.bits.Store(w.bits.Load()&^(limitMask<<limitShift) | limitBits(limit))
}

func (w *word) full() bool { return exhausted(w.bits.Load()) }

func (w *word) limit() int { return int(limitOf(w.bits.Load())) }

func (w *word) inUse() int { return int(held(w.bits.Load())) }

func (w *word) both() (limit, inUse int) {
	bits := w.bits.Load()
	return int(limitOf(bits)), int(held(bits)) //nolint:gosec // as above
}
