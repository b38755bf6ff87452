package latency

import (
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// Statements keeps a [Histogram] for each of the statements that come often. It
// is made by [NewStatements] and safe for concurrent use.
type Statements struct{ known *sqltext.Cache[*Histogram] }

// NewStatements returns an empty one.
func NewStatements() *Statements {
	return &Statements{known: sqltext.NewCache[*Histogram](0, 0)}
}

// Of returns what is known of the call's statement.
func (s *Statements) Of(call *sp.Call) *Histogram {
	d := telemetry.DialectOf(call.Target)
	h, ok := s.known.Get(d, call.Text)
	if !ok {
		h = new(Histogram)
		s.known.Put(d, call.Text, h)
	}
	return h
}
