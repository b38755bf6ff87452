package throttle

import (
	"sync/atomic"
	"time"
)

// window counts requests, and those of them that were accepted, over the last
// periods. It takes no lock: each period has one word, which holds its number
// and both counts, so that a word is never seen half old and half new.
type window struct {
	period time.Duration
	vain   atomic.Uint64 // the latest period with a request that was not accepted, plus one; 0 if there is none
	words  [periods]atomic.Uint64
}

// periods is how many a window has.
const periods = 10

// The parts of a word: the number of the period, so much of it as there is room
// for, requests, and accepts. A count that is full stays so: four million calls
// in a tenth of the window say enough.
const (
	countBits = 22
	countMask = 1<<countBits - 1
	countFull = countMask - 1<<16 // room for those that add at this moment

	numberShift = 2 * countBits
	numberMask  = 1<<(64-numberShift) - 1

	oneRequest = 1 << countBits
	oneAccept  = 1
)

// number returns the number of the period that now is in.
func (w *window) number(now time.Duration) uint64 { return uint64(now / w.period) }

// add counts what, which is oneRequest with or without oneAccept, in a period. It
// reports false if that has left the window.
func (w *window) add(number, what uint64) bool {
	if what&oneAccept == 0 {
		w.note(number + 1)
	}
	word := &w.words[number%periods]
	for {
		have := word.Load()
		switch ahead := (have>>numberShift - number) & numberMask; {
		case ahead == 0:
			if have>>countBits&countMask < countFull {
				word.Add(what)
			}
			return true
		case have != 0 && ahead <= numberMask/2:
			return false
		}
		if word.CompareAndSwap(have, (number&numberMask)<<numberShift|what) {
			return true
		}
	}
}

// note has vain be at least next.
func (w *window) note(next uint64) {
	for {
		have := w.vain.Load()
		if have >= next || w.vain.CompareAndSwap(have, next) {
			return
		}
	}
}

// counts returns the sums over the periods that end with the given one. While
// every request was accepted, which is nearly always, it does not look: both
// sums are 0 then.
func (w *window) counts(number uint64) (requests, accepts uint64) {
	if w.vain.Load()+periods <= number+1 {
		return 0, 0
	}
	for i := range uint64(periods) {
		have := w.words[(number-i)%periods].Load()
		if i <= number && (have>>numberShift-(number-i))&numberMask == 0 {
			requests += have >> countBits & countMask
			accepts += have & countMask
		}
	}
	return requests, accepts
}
