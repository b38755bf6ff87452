package permits

import (
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// line is the queue of those who wait for a permit: a level for each priority.
// It knows its pace: the mean time between two permits that came back since the
// queue formed. While nobody waits there is no pace: what was measured in an
// earlier crowd may be far from the truth, and calls would be refused for it.
type line struct {
	levels [levels]level
	length int
	pace   time.Duration
	moved  time.Time // when it formed, or the last permit came back
}

// levels is the number of priorities.
const levels = int(sp.PriorityCritical-sp.PriorityLow) + 1

// patience is how many permits may go to higher levels in a row before one goes
// to a level that waits.
const patience = 32

// levelOf returns the level of a priority: 0 is served first.
func levelOf(p sp.Priority) int {
	return int(sp.PriorityCritical - min(max(p, sp.PriorityLow), sp.PriorityCritical))
}

// place is where a call waits.
type place struct {
	level int
	share string
}

func placeOf(call *sp.Call) place {
	return place{level: levelOf(call.Marks.Priority), share: call.Marks.Share}
}

// waiter is one who waits. The lock of its permits guards it, but for refused,
// which may be read once ready is closed.
type waiter struct {
	place
	since      time.Time
	deadline   time.Time // of the caller; the zero time for none
	flow       *flow
	prev, next *waiter
	ready      chan struct{} // closed when it has got a permit, or is refused
	granted    bool
	refused    Reason
}

func (l *line) init() {
	for i := range l.levels {
		l.levels[i].init()
	}
}

// push puts w at the end of its flow.
func (l *line) push(w *waiter, now time.Time) {
	if l.length == 0 {
		l.moved = now
	}
	l.levels[w.level].push(w)
	l.length++
}

// next returns who gets the next permit: of the highest level, unless a lower one
// has been passed over for too long. Somebody waits.
func (l *line) next(newest bool) *waiter {
	f := l.levels[l.turn()].turns.first()
	if newest {
		return f.last
	}
	return f.first
}

// least returns the first of those who are served last: of the lowest level in
// which somebody waits. Somebody does.
func (l *line) least() *waiter {
	for i := len(l.levels) - 1; ; i-- {
		if v := &l.levels[i]; v.length > 0 {
			return v.turns.first().first
		}
	}
}

// turn returns the level that is to be served.
func (l *line) turn() int {
	chosen := -1
	for i := range l.levels {
		v := &l.levels[i]
		if v.length > 0 && (chosen < 0 || v.passed >= patience) {
			chosen = i
		}
	}
	return chosen
}

// advance takes out w, who has got a permit.
func (l *line) advance(w *waiter, now time.Time) {
	sample := now.Sub(l.moved)
	if l.pace == 0 {
		l.pace = sample
	} else {
		l.pace += (sample - l.pace) / 4
	}
	l.moved = now
	for i := w.level + 1; i < len(l.levels); i++ {
		if v := &l.levels[i]; v.length > 0 {
			v.passed++
		}
	}
	v := &l.levels[w.level]
	v.passed = 0
	v.turns.rotate()
	l.remove(w)
}

// remove takes w out, wherever it stands.
func (l *line) remove(w *waiter) {
	l.levels[w.level].remove(w)
	if l.length--; l.length == 0 {
		l.pace = 0
	}
}

// ahead returns how many are served before one that comes to a place now.
func (l *line) ahead(at place) int {
	n := 0
	for i := range at.level {
		n += l.levels[i].length
	}
	return n + l.levels[at.level].ahead(at.share)
}

// victim returns who makes room for one at a place in a full line: the newest of the longest
// flow of the lowest level, if that is below, or if it has a longer flow than
// the place's would be; or nil.
func (l *line) victim(at place) *waiter {
	for i := len(l.levels) - 1; i >= at.level; i-- {
		v := &l.levels[i]
		if v.length == 0 {
			continue
		}
		longest := v.longest()
		if i == at.level {
			if own := v.flowOf(at.share); longest.length <= own+1 {
				return nil
			}
		}
		return longest.last
	}
	return nil
}
