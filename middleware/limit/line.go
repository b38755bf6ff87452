package limit

import "time"

// line is the queue of those who wait for a permit. It knows its pace: the
// mean time between two permits that came back since the queue formed. While
// nobody waits there is no pace: what was measured in an earlier crowd may be
// far from the truth, and calls would be refused for it.
type line struct {
	first, last *waiter
	length      int
	pace        time.Duration
	moved       time.Time // when it formed, or the last permit came back
}

// waiter is one who waits. The lock of its permits guards it.
type waiter struct {
	prev, next *waiter
	ready      chan struct{} // closed when it has got a permit
	granted    bool
}

// push puts w at the end.
func (l *line) push(w *waiter, now time.Time) {
	if l.last == nil {
		l.first, l.moved = w, now
	} else {
		l.last.next, w.prev = w, l.last
	}
	l.last = w
	l.length++
}

// advance takes out the first one, who has got a permit.
func (l *line) advance(now time.Time) {
	sample := now.Sub(l.moved)
	if l.pace == 0 {
		l.pace = sample
	} else {
		l.pace += (sample - l.pace) / 4
	}
	l.moved = now
	l.remove(l.first)
}

// remove takes w out, wherever it stands.
func (l *line) remove(w *waiter) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	if l.length--; l.length == 0 {
		l.pace = 0
	}
}
