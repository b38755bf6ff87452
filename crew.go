package sessionproxy

import (
	"cmp"
	"context"
	"errors"
	"sync"
)

// crew is the forks of a call. What is held for the call is theirs together: it is
// given back while all of them wait, and taken again by the first that goes on.
type crew struct {
	events sync.Mutex // one event at a time

	mu      sync.Mutex
	working int           // forks that don't wait
	waiting int           // those that do, in [Call.Wait]
	away    bool          // what is held for the call has been given back
	lost    error         // with which it could not be taken again
	taking  chan struct{} // closed when it is taken again; nil while nobody does that
}

// errDropped ends a wait that nobody is left to end.
var errDropped = errors.New("sessionproxy: the forks of the call have ended")

// enlist makes room for a fork, or returns nil: while all wait, one more would
// work with what others may have taken meanwhile.
func (c *Call) enlist() *Call {
	if c.crew == nil {
		first := new(struct {
			fork Call
			crew crew
		})
		c.crew = &first.crew
		c.crew.working = 1
		return &first.fork
	}
	k := c.crew
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.away {
		return nil
	}
	if k.working+k.waiting == 0 {
		k.lost = nil
	}
	k.working++
	return new(Call)
}

// discharge takes note that a fork has ended.
func (c *Call) discharge() {
	k := c.crew
	k.mu.Lock()
	defer k.mu.Unlock()
	k.working--
	switch {
	case k.working > 0:
	case k.waiting > 0:
		c.giveBack()
	case k.away: // the last one has not taken it again
		_ = c.resume(context.Background(), errDropped)
		k.away = false
	}
}

// pause takes note that a fork waits.
func (c *Call) pause() {
	k := c.crew
	k.mu.Lock()
	defer k.mu.Unlock()
	k.working--
	k.waiting++
	c.giveBack()
}

// giveBack gives back what is held for the call if nobody works with it. The
// caller holds the crew's mu.
func (c *Call) giveBack() {
	if k := c.crew; k.working == 0 && !k.away {
		k.away = c.yield()
	}
}

// proceed takes note that a fork goes on, or ends with err, and takes again what
// is held for the call if it was given back. Other forks that would go on wait for
// that too. If it can't be taken again, none of them goes on.
func (c *Call) proceed(ctx context.Context, err error) error {
	k := c.crew
	k.mu.Lock()
	k.waiting--
	k.working++
	if err != nil || !k.away {
		err = cmp.Or(err, k.lost)
		k.mu.Unlock()
		return err
	}
	if taking := k.taking; taking != nil {
		k.mu.Unlock()
		select {
		case <-taking:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.lost
	}
	taking := make(chan struct{})
	k.taking = taking
	k.mu.Unlock()

	lost := errDropped // stays if Resume panics
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.lost, k.away, k.taking = lost, false, nil
		close(taking)
	}()
	lost = c.resume(ctx, nil)
	return lost
}
