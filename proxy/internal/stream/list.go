package stream

import (
	"context"
	"slices"
	"sync"
)

// List are the streams of a connection in program order: the first one may be
// open, the others wait for it. The zero value is ready to use, and safe for
// concurrent use.
type List struct {
	mu   sync.Mutex
	list []*Stream
}

// Add appends s.
func (l *List) Add(s *Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

// Last returns the last stream that has not ended, or nil.
func (l *List) Last() *Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(s *Stream) bool { return s.over.Load() || s.ending.Load() })
	if len(l.list) == 0 {
		return nil
	}
	return l.list[len(l.list)-1]
}

// End ends all of them; ctx is that of the operation that does it.
func (l *List) End(ctx context.Context) {
	l.mu.Lock()
	list := l.list
	l.list = nil
	l.mu.Unlock()
	for _, s := range list {
		s.end(ctx)
	}
}
