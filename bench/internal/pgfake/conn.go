package pgfake

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is the client's end of a connection, and the back end behind it. Write
// has every message answered that is complete, before it returns; Read takes
// the answers, and waits for them if there are none.
type conn struct {
	backend backend

	mu      sync.Mutex
	arrived *sync.Cond
	in      []byte // an incomplete message
	out     []byte // answers, of which taken bytes were read
	taken   int
	closed  bool
	expired bool // the deadline has passed
	timer   *time.Timer
}

func newConn(s *Server) *conn {
	c := &conn{backend: backend{server: s, status: 'I', prepared: map[string]*answer{}}}
	c.arrived = sync.NewCond(&c.mu)
	return c
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.unusable(); err != nil {
		return 0, err
	}
	n, in := len(p), p
	if len(c.in) > 0 {
		c.in = append(c.in, p...)
		in = c.in
	}
	rest := c.receive(in)
	c.in = append(c.in[:0], rest...)
	c.arrived.Broadcast()
	return n, nil
}

// receive has the messages in p answered and returns what is left of them.
func (c *conn) receive(p []byte) []byte {
	for !c.closed {
		size, complete := c.backend.next(p)
		if !complete {
			break
		}
		c.out, c.closed = c.backend.answer(c.out, p[:size])
		p = p[size:]
	}
	return p
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.taken == len(c.out) {
		if err := c.unusable(); err != nil {
			return 0, err
		}
		c.arrived.Wait()
	}
	n := copy(p, c.out[c.taken:])
	c.taken += n
	if c.taken == len(c.out) {
		c.out, c.taken = c.out[:0], 0
	}
	return n, nil
}

// unusable returns why nothing can be written or waited for, or nil.
func (c *conn) unusable() error {
	switch {
	case c.closed:
		return io.EOF
	case c.expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.arrived.Broadcast()
	return nil
}

// SetDeadline implements [net.Conn]. One deadline serves for both directions.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.expired = false
	if t.IsZero() {
		return nil
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.expired = c.timer == timer
		c.arrived.Broadcast()
	})
	c.timer = timer
	return nil
}

// SetReadDeadline implements [net.Conn].
func (c *conn) SetReadDeadline(t time.Time) error { return c.SetDeadline(t) }

// SetWriteDeadline implements [net.Conn].
func (c *conn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

// LocalAddr implements [net.Conn].
func (c *conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr implements [net.Conn].
func (c *conn) RemoteAddr() net.Addr { return address{} }

// address is where a connection leads: nowhere.
type address struct{}

// Network implements [net.Addr].
func (address) Network() string { return "pgfake" }

// String implements [net.Addr].
func (address) String() string { return "pgfake" }
