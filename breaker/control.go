package breaker

import (
	"iter"
	"slices"

	"github.com/sessionproxy/sessionproxy"
)

// ForceOpen refuses calls to t until [Breaker.Reset], for instance while the
// database is being maintained. Calls that have their connection already go
// on. A nil t stands for calls of which no target is known.
func (b *Breaker) ForceOpen(t *sessionproxy.Target) { b.circuits.get(t).force(StateForcedOpen) }

// ForceClosed lets calls to t through until [Breaker.Reset]. They are counted,
// but whatever comes of them, the circuit does not open.
func (b *Breaker) ForceClosed(t *sessionproxy.Target) { b.circuits.get(t).force(StateForcedClosed) }

// Disable lets calls to t through, without counting them, until
// [Breaker.Reset].
func (b *Breaker) Disable(t *sessionproxy.Target) { b.circuits.get(t).force(StateDisabled) }

// Reset closes the circuit of t, forgets what it counted, and gives it back to
// the outcomes of calls. Calls under way are not counted.
func (b *Breaker) Reset(t *sessionproxy.Target) { b.circuits.get(t).force(StateClosed) }

// State returns the state of t's circuit; [StateClosed] if it has none yet. An
// open circuit whose time is over is half-open, though only the next call makes
// it so and tells those who watch: asking changes nothing.
func (b *Breaker) State(t *sessionproxy.Target) State {
	c := b.circuits.find(t)
	if c == nil {
		return StateClosed
	}
	return c.phase.Load().shown(b.cfg.now())
}

// States returns the status of every circuit, in the order of their targets'
// names. The circuits are those of the moment the loop begins; each one's
// status is taken when its turn comes.
func (b *Breaker) States() iter.Seq[Status] {
	return func(yield func(Status) bool) {
		circuits := b.circuits.all()
		slices.SortFunc(circuits, compareNames)
		for _, c := range circuits {
			if !yield(c.status()) {
				return
			}
		}
	}
}
