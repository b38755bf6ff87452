package breaker

import "sync"

// notices hands changes to those who watch: outside of every lock, one at a
// time, in the order in which they were made.
type notices struct {
	watchers []func(Change)

	mu      sync.Mutex
	queue   []Change
	telling bool // a goroutine is at it
}

// add queues a change. It is called under a circuit's lock, which puts the
// changes of a circuit in order.
func (n *notices) add(c Change) {
	if len(n.watchers) == 0 {
		return
	}
	n.mu.Lock()
	n.queue = append(n.queue, c)
	n.mu.Unlock()
}

// deliver tells what is queued, unless another goroutine, or a function that
// this one is just telling, is at it and will go on. To wait for it instead
// would be a deadlock whenever a watcher causes a change itself.
func (n *notices) deliver() {
	for {
		c, ok := n.next()
		if !ok {
			return
		}
		n.tell(c)
	}
}

// next takes the first change from the queue.
func (n *notices) next() (Change, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.telling || len(n.queue) == 0 {
		return Change{}, false
	}
	c := n.queue[0]
	n.queue = n.queue[1:]
	n.telling = true
	return c, true
}

func (n *notices) tell(c Change) {
	defer func() { // also if a watcher panics
		n.mu.Lock()
		n.telling = false
		n.mu.Unlock()
	}()
	for _, watch := range n.watchers {
		watch(c)
	}
}
