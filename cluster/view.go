package cluster

import (
	"time"

	"github.com/sessionproxy/sessionproxy"
)

// view is what the monitors know together. It never changes: another one takes its
// place.
type view struct {
	epoch   uint64
	primary *node   // nil: none, or none that is certain
	readers []*node // replicas that are fit for reads
	split   bool    // servers contradict each other about the primary
	changed chan struct{}
}

// Change is a change of what is known of a cluster.
type Change struct {
	// Epoch is the number of the view, from 1.
	Epoch uint64
	// Primary is the name of the primary, empty if there is none.
	Primary string
	// Readers are the names of the replicas that are fit for reads.
	Readers []string
	// Split says that servers contradict each other about which is the primary,
	// so that there is none.
	Split bool
	// Nodes are the states of all servers, in the order of [New].
	Nodes []State
}

// publish makes a view of what is known of the nodes. The caller holds mu.
func (c *Cluster) publish() {
	c.epoch++
	v := &view{epoch: c.epoch, changed: make(chan struct{})}
	v.primary, v.split = c.elect()
	for _, n := range c.nodes {
		if n.fit() && n.status.Role == Replica && (c.maxLag == 0 || n.lag <= c.maxLag) {
			v.readers = append(v.readers, n)
		}
	}
	old := c.view.Swap(v)
	if c.onChange != nil {
		c.onChange(c.change(v))
	}
	close(old.changed)
}

func (c *Cluster) change(v *view) Change {
	out := Change{Epoch: v.epoch, Split: v.split}
	if v.primary != nil {
		out.Primary = v.primary.Name
	}
	for _, n := range v.readers {
		out.Readers = append(out.Readers, n.Name)
	}
	for _, n := range c.nodes {
		out.Nodes = append(out.Nodes, n.shown())
	}
	return out
}

// elect returns the primary: the one node that says it is, once all have been
// asked. Of several it is the one with the highest term. One with a term that is
// lower than another primary's was, or another with the same, is a fork of the
// past. The caller holds mu.
func (c *Cluster) elect() (primary *node, split bool) {
	for _, n := range c.nodes {
		switch {
		case !n.asked:
			return nil, false
		case !n.fit() || n.status.Role != Primary:
		case primary == nil || n.status.Term > primary.status.Term:
			primary, split = n, false
		case n.status.Term == primary.status.Term:
			split = true
		}
	}
	if primary == nil || split {
		return nil, split
	}
	switch term := primary.status.Term; {
	case term < c.term, term == c.term && term != 0 && c.holder != primary:
		return nil, true
	case primary != c.holder:
		c.past = history{}
	}
	c.term, c.holder = primary.status.Term, primary
	return primary, false
}

// history is when the primary was first seen at its positions, the oldest first.
type history struct {
	at  []time.Time
	pos []uint64
}

// maxHistory bounds a history: of more, the oldest are forgotten.
const maxHistory = 256

// note adds where the primary is.
func (h *history) note(pos uint64, now time.Time) {
	if last := len(h.pos); pos == 0 || last > 0 && h.pos[last-1] >= pos {
		return
	}
	if len(h.pos) == maxHistory {
		h.at, h.pos = append(h.at[:0], h.at[1:]...), append(h.pos[:0], h.pos[1:]...)
	}
	h.at, h.pos = append(h.at, now), append(h.pos, pos)
}

// lag returns how long ago the primary was seen to have more than pos.
func (h *history) lag(pos uint64, now time.Time) time.Duration {
	if pos == 0 {
		return 0
	}
	for i, p := range h.pos {
		if p > pos {
			return now.Sub(h.at[i])
		}
	}
	return 0
}

// OnDown has f called with each node that is declared down, after its connections
// were closed, for a driver integration whose pool has connections to forget. f
// must not block. The function returned ends that.
func (c *Cluster) OnDown(f func(n *sessionproxy.Node)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := &f
	c.downs[key] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.downs, key)
	}
}
