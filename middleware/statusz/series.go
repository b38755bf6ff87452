package statusz

import (
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// window is how long a series counts before it begins anew. What is shown is
// the window at work and the one before it.
const window = 5 * time.Minute

// series is the latencies of the calls that are alike: one summary, or one
// operation, of one database.
type series struct {
	database *database
	op       sp.Op
	name     string // the summary; else the operation
	shared   bool   // it stands for many, for which there was no room

	gone   atomic.Bool  // it gave way to another
	number atomic.Int64 // of the window at work, from the page's making
	mu     sync.Mutex   // held while a window begins

	_     [64]byte     // what is read does not share a cache line with what is counted
	parts [2]histogram // of windows with even and with odd numbers
}

func newSeries(d *database, op sp.Op, name string, now time.Duration) *series {
	s := &series{database: d, op: op, name: name}
	s.number.Store(int64(now / window))
	return s
}

// record counts a call that took so long.
func (s *series) record(shard int, now, took time.Duration, o outcome) {
	number := int64(now / window)
	if s.number.Load() < number {
		s.begin(number)
	}
	s.parts[number%2].record(shard, took, o)
}

// begin begins a window. What is counted meanwhile may be lost.
func (s *series) begin(number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.number.Load()
	if old >= number {
		return
	}
	s.parts[number%2].reset()
	if old+1 < number {
		s.parts[(number+1)%2].reset()
	}
	s.number.Store(number)
}

// recent returns what was counted in the window at work and the one before.
func (s *series) recent(now time.Duration) (d distribution) {
	number := s.number.Load()
	switch behind := int64(now/window) - number; {
	case behind <= 0: // less than 0 if the next window began after now was read
		d.add(&s.parts[0])
		d.add(&s.parts[1])
	case behind == 1:
		d.add(&s.parts[number%2])
	}
	return d
}

// covered returns how long the windows are that recent counts.
func covered(now time.Duration) time.Duration {
	return min(now, window+now%window)
}
