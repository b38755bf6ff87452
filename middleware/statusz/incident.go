package statusz

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// maxIncidents is how many incidents of a sort are kept.
const maxIncidents = 50

// incidentKey says which calls are one incident.
type incidentKey struct {
	database  *database
	name      string
	text      string
	operation string
	failure
}

// incident is a call that failed or was slow, and those like it: in an outage
// the same fault comes a thousand times, and must not hide the others. What is
// not counted is the last one's.
type incident struct {
	incidentKey
	count       int64
	first, last time.Duration // when they ended
	took, worst time.Duration
	account
	nested bool // in a transaction or a unit of work
	trace  traceRef
}

// traceRef is a trace, if there is one.
type traceRef struct {
	id      trace.TraceID
	sampled bool // and so likely to be found where traces are kept
}

// incidents are the latest incidents of a sort.
type incidents struct {
	mu   sync.Mutex
	list []incident
}

// add adds a call. If there is no room, the incident that was over first is
// forgotten.
func (is *incidents) add(i incident) {
	is.mu.Lock()
	defer is.mu.Unlock()
	place := -1
	for n := range is.list {
		known := &is.list[n]
		if known.incidentKey == i.incidentKey {
			i.count += known.count
			i.first, i.worst = known.first, max(i.worst, known.worst)
			if known.trace.sampled && !i.trace.sampled {
				i.trace = known.trace
			}
			*known = i
			return
		}
		if place < 0 || known.last < is.list[place].last {
			place = n
		}
	}
	if len(is.list) < maxIncidents {
		is.list = append(is.list, i)
		return
	}
	is.list[place] = i
}

// copy returns the incidents, the latest first.
func (is *incidents) copy() []incident {
	is.mu.Lock()
	defer is.mu.Unlock()
	return slices.SortedFunc(slices.Values(is.list), func(a, b incident) int { return cmp.Compare(b.last, a.last) })
}

// change is a change of a breaker's state.
type change struct {
	at       time.Duration
	database *database
	state    string
}

// changes are the latest changes, in a ring.
type changes struct {
	mu   sync.Mutex
	ring [30]change
	n    int // so far
}

func (cs *changes) add(c change) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.ring[cs.n%len(cs.ring)] = c
	cs.n++
}

// copy returns the changes, the latest first.
func (cs *changes) copy() (out []change) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for i := cs.n - 1; i >= 0 && i >= cs.n-len(cs.ring); i-- {
		out = append(out, cs.ring[i%len(cs.ring)])
	}
	return out
}
