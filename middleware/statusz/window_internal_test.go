package statusz

import (
	"testing"
	"time"
)

// TestReadingLateKeepsWhatIsCounted has a snapshot whose time was read before a
// window began in which something was counted.
func TestReadingLateKeepsWhatIsCounted(t *testing.T) {
	t.Parallel()
	const before, after = window - time.Millisecond, window + time.Millisecond

	var e tally
	e.turn(after)
	e.parts[e.number%2].add(count{n: 1})
	e.turn(before)
	var sum eventSum
	if sum.add(&e); sum.n != 1 {
		t.Errorf("%d events are left", sum.n)
	}

	s := newSeries(nil, 0, "", 0)
	s.record(0, before, time.Second, succeeded)
	s.record(0, after, time.Second, succeeded)
	s.record(0, before, time.Second, failed) // it had to wait
	for _, now := range []time.Duration{before, after} {
		if d := s.recent(now); d.count != 3 || d.failed != 1 {
			t.Errorf("at %v: %d calls, %d failed", now, d.count, d.failed)
		}
	}
	if d := s.recent(after + window); d.count != 1 {
		t.Errorf("a window later: %d calls", d.count)
	}
}
