package logging

import (
	"sync"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// sampling says how many records of a kind are written each second: the first
// so many, then one in so many.
type sampling struct {
	first int64 // 0: all
	then  int64 // 0: none after the first
}

// kind is what records have in common that repeat each other.
type kind struct {
	message   string
	op        sp.Op
	errorType string
}

// maxKinds bounds the memory of a sampler. Codes are few and error types are
// those of the program; kinds beyond count as one.
const maxKinds = 256

// tally counts the records of one kind.
type tally struct {
	second  int64 // of what second the count is
	count   int64
	dropped int64 // since the last record that was written
}

// sampler leaves out records that repeat others. It is safe for concurrent
// use.
type sampler struct {
	sampling

	mu      sync.Mutex
	tallies map[kind]*tally
}

func newSampler(s sampling) *sampler { return &sampler{sampling: s, tallies: map[kind]*tally{}} }

// admit reports whether a record of kind k is to be written now, and how many
// of its kind were left out since the last one.
func (s *sampler) admit(now time.Time, k kind) (dropped int64, ok bool) {
	if s.first == 0 {
		return 0, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tally(k)
	if second := now.Unix(); second != t.second {
		t.second, t.count = second, 0
	}
	t.count++
	if over := t.count - s.first; over > 0 && (s.then == 0 || over%s.then != 0) {
		t.dropped++
		return 0, false
	}
	dropped, t.dropped = t.dropped, 0
	return dropped, true
}

func (s *sampler) tally(k kind) *tally {
	t := s.tallies[k]
	if t == nil {
		if len(s.tallies) >= maxKinds {
			k = kind{}
			if t = s.tallies[k]; t != nil {
				return t
			}
		}
		t = new(tally)
		s.tallies[k] = t
	}
	return t
}
