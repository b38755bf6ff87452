package breaker

import (
	"iter"
	"slices"

	"github.com/sessionproxy/sessionproxy"
)

// ForceOpen refuses calls to t until [Breaker.Reset], for instance while the
// database is being maintained. Calls that already have their connection
// continue. A nil t stands for calls whose target is unknown.
func (b *Breaker) ForceOpen(t *sessionproxy.Target) { b.circuits.get(t).force(StateForcedOpen) }

// ForceClosed lets calls to t through until [Breaker.Reset]. They are counted,
// but the circuit does not open.
func (b *Breaker) ForceClosed(t *sessionproxy.Target) { b.circuits.get(t).force(StateForcedClosed) }

// Disable lets calls to t through, without counting them, until
// [Breaker.Reset].
func (b *Breaker) Disable(t *sessionproxy.Target) { b.circuits.get(t).force(StateDisabled) }

// Reset closes the circuit of t, clears its counts, and lets the outcomes of
// calls control it again. Calls already running are not counted.
func (b *Breaker) Reset(t *sessionproxy.Target) { b.circuits.get(t).force(StateClosed) }

// State returns the state of t's circuit; [StateClosed] if it has none yet. An
// open circuit whose time is over is reported as half-open, although only the
// next call makes it so and notifies [WithOnStateChange]: State changes
// nothing.
func (b *Breaker) State(t *sessionproxy.Target) State {
	c := b.circuits.find(t)
	if c == nil {
		return StateClosed
	}
	return c.phase.Load().shown(b.cfg.now())
}

// States returns the status of every circuit, in the order of their targets'
// names. It covers the circuits that exist when the loop begins; each status is
// taken when its turn comes.
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
