package cluster

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

const (
	// pause is the least time between two questions.
	pause = 20 * time.Millisecond
	// hurry is how many times as often servers are asked while there is no
	// primary.
	hurry = 10
)

// watch asks a node what it is until the cluster is closed.
func (c *Cluster) watch(n *node) {
	m := monitor{Cluster: c, node: n}
	defer m.hangUp()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-timer.C:
		case <-n.kick:
		}
		timer.Reset(m.round())
	}
}

// monitor is the watch over one node.
type monitor struct {
	*Cluster
	node *node
	conn ProbeConn // nil: none
	last time.Time // of the last question
}

// round asks the node once, takes note of what it says, and returns when to ask
// again.
func (m *monitor) round() time.Duration {
	if early := pause - time.Since(m.last); early > 0 && !m.last.IsZero() {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-m.ctx.Done():
			return pause
		}
	}
	m.mu.Lock()
	doubts := m.node.doubts
	m.mu.Unlock()
	status, err := m.ask()
	m.last = time.Now()
	if m.ctx.Err() != nil {
		return pause
	}
	return m.learn(m.node, status, err, doubts, m.last)
}

// ask asks the node, on a new connection if the one there is was lost: that may
// be from before a restart.
func (m *monitor) ask() (Status, error) {
	ctx, cancel := context.WithTimeout(m.ctx, m.timeout)
	defer cancel()
	old := m.conn != nil
	status, err := m.askOn(ctx)
	if err != nil && old && ctx.Err() == nil {
		return m.askOn(ctx)
	}
	return status, err
}

func (m *monitor) askOn(ctx context.Context) (status Status, err error) {
	if m.conn == nil {
		if m.conn, err = m.probe.Connect(ctx, m.node.dsn); err != nil {
			m.conn = nil
			return Status{}, err
		}
	}
	status, err = m.conn.Ask(ctx)
	if err == nil && status.Role != Primary && status.Role != Replica {
		err = errors.New("cluster: the probe does not tell the server's role")
	}
	if err != nil {
		m.hangUp()
	}
	return status, err
}

// hangUp closes the connection.
func (m *monitor) hangUp() {
	if m.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.timeout)
	defer cancel()
	_ = m.conn.Close(ctx) // it is of no use any more
	m.conn = nil
}

// learn takes note of an answer, or of an error in its place, and returns when to
// ask again. doubts is how often calls had found the node at fault when the
// question was sent.
func (c *Cluster) learn(n *node, status Status, err error, doubts uint64, now time.Time) time.Duration {
	c.mu.Lock()
	before, was, fit, lag, asked := n.state, n.status, n.fit(), n.lag, n.asked
	n.asked = true
	if err == nil {
		n.state, n.missed, n.status = Up, 0, status
		n.doubted = n.doubted && n.doubts != doubts
	} else {
		n.state = c.failed(n, err)
	}
	n.lost.Store(n.state == Down)
	if n.state == Up && n == c.holder && status.Role == Primary {
		c.past.note(status.Position, now)
	}
	if n.lag = 0; n.status.Role == Replica {
		n.lag = c.past.lag(n.status.Position, now)
	}
	late := c.maxLag > 0 && (lag > c.maxLag) != (n.lag > c.maxLag)
	if n.state != before || n.status.Role != was.Role || n.status.Term != was.Term || n.fit() != fit || !asked || late {
		c.publish()
	}
	again := c.interval
	switch {
	case n.doubted, n.state == Suspect:
		again = pause
	case c.view.Load().primary == nil:
		again = max(c.interval/hurry, pause)
	}
	fell := n.state == Down && before != Down
	var tell []func(*sessionproxy.Node)
	for f := range c.downs {
		tell = append(tell, *f)
	}
	c.mu.Unlock()
	if fell {
		c.abandon(n, tell)
	}
	return jitter(again)
}

// failed returns the state of a node whose question failed. A server that refuses
// connections is not there; one that answers with an error is, whatever it is.
// The caller holds mu.
func (c *Cluster) failed(n *node, err error) State {
	v := fault.Of(err, fault.Situation{Phase: fault.PhaseConnect, Progress: fault.ProgressUnsent})
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		n.missed = c.misses
		return Down
	case fault.Code(err) != "" || v.Answered:
		n.missed = 0
		return Unknown
	}
	if n.missed++; n.missed < c.misses {
		return Suspect
	}
	return Down
}

// doubt takes note that a call has found a node at fault.
func (c *Cluster) doubt(n *node) {
	c.mu.Lock()
	n.doubts++
	if !n.doubted {
		if n.doubted = true; n.state == Up {
			c.publish()
		}
	}
	c.mu.Unlock()
	n.poke()
}

// abandon ends what runs on a node that is down.
func (c *Cluster) abandon(n *node, tell []func(*sessionproxy.Node)) {
	if !c.abort {
		return
	}
	n.sever()
	for _, f := range tell {
		f(&n.Node)
	}
}
