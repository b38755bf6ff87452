package timeout

import (
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/latency"
)

// learning is how limits follow the latency of statements; see
// [WithPercentile]. Without that option known is nil.
type learning struct {
	percentile float64
	multiple   float64
	least      time.Duration
	known      *latency.Statements
}

// about returns what is known of the call's statement; nil if nothing is to be
// learned.
func (l *learning) about(call *sp.Call) *latency.Histogram {
	if l.known == nil || call.Op != sp.OpExec && call.Op != sp.OpQuery {
		return nil
	}
	return l.known.Of(call)
}

// limit returns the limit of a statement, at most the given one.
func (l *learning) limit(h *latency.Histogram, most time.Duration) time.Duration {
	p := h.Percentile()
	if p == 0 {
		return most
	}
	return min(max(time.Duration(l.multiple*float64(p)), l.least), most)
}
