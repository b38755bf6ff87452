package linktest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
)

// Recorder is a logger's handler that keeps what it is given.
type Recorder struct {
	// Level is the lowest that is kept.
	Level slog.Level

	mu      sync.Mutex
	records []slog.Record
}

// Enabled reports whether level is at least that of r.
func (r *Recorder) Enabled(_ context.Context, level slog.Level) bool { return level >= r.Level }

// WithAttrs returns r.
func (r *Recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup returns r.
func (r *Recorder) WithGroup(string) slog.Handler { return r }

// Handle keeps a record.
func (r *Recorder) Handle(_ context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record.Clone())
	return nil
}

// Take returns the records so far as level, message and attributes, and
// forgets them.
func (r *Recorder) Take() []Logged {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Logged
	for _, rec := range r.records {
		l := Logged{Level: rec.Level, Message: rec.Message, Attrs: map[string]any{}}
		rec.Attrs(func(a slog.Attr) bool {
			l.Attrs[a.Key] = a.Value.Any()
			return true
		})
		out = append(out, l)
	}
	r.records = nil
	return out
}

// Logged is what a record says.
type Logged struct {
	// Level is the record's level.
	Level slog.Level
	// Message is its message.
	Message string
	// Attrs are its attributes.
	Attrs map[string]any
}

// Lone returns the one record there has to be.
func Lone(t *testing.T, r *Recorder) Logged {
	t.Helper()
	got := r.Take()
	if len(got) != 1 {
		t.Fatalf("%d records, want one: %v", len(got), got)
	}
	return got[0]
}
