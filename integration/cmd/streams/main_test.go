package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

// limit is how far the heap may grow, however many rows there are.
const limit = 32 << 20

func TestStreamsHoldOneWindowAndStopPromptly(t *testing.T) {
	for _, s := range sources {
		t.Run(s.database, func(t *testing.T) {
			switch s.database { // skips where there is no server
			case "MariaDB":
				dbtest.MariaDB(t)
			case "PostgreSQL":
				dbtest.Postgres(t)
			}
			if err := s.measure(t.Context(), 150_000, func(m measurement) {
				if m.heap > limit {
					t.Errorf("read as %s: the heap grew by %d bytes", m.readAs, m.heap)
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
