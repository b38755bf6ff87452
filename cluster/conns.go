package cluster

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy"
)

// Dial opens connections to a node, as net.Dialer.DialContext does.
type Dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// Dialer returns a function that dials by dial, for the connections of a driver
// to node n. They are closed when the node is declared down, which ends what runs
// on them at no cost per call, and none is dialled while it is.
func (c *Cluster) Dialer(n *sessionproxy.Node, dial Dial) Dial {
	if !c.abort {
		return dial
	}
	at := c.nodes[n.Index]
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if at.lost.Load() {
			return nil, down("dial", nil)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		dialling := &conn{node: at}
		at.keep(dialling, func() { cancel(ErrNodeDown) })
		raw, err := dial(ctx, network, addr)
		if err != nil {
			at.forget(dialling)
			if dialling.severed.Load() {
				err = down("dial", nil)
			}
			return nil, err
		}
		dialling.Conn = raw
		at.keep(dialling, func() { _ = raw.Close() })
		if at.lost.Load() {
			_ = dialling.Close()
			return nil, down("dial", raw.RemoteAddr())
		}
		return dialling, nil
	}
}

// conn is a connection to a node. What fails on it because the node was declared
// down fails with [ErrNodeDown].
type conn struct {
	net.Conn

	node    *node
	severed atomic.Bool
	once    sync.Once
}

// Read reads as the connection does.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && c.severed.Load() {
		err = down("read", c.RemoteAddr())
	}
	return n, err
}

// Write writes as the connection does.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil && c.severed.Load() {
		err = down("write", c.RemoteAddr())
	}
	return n, err
}

// Close closes the connection and forgets it.
func (c *conn) Close() error {
	c.once.Do(func() { c.node.forget(c) })
	return c.Conn.Close()
}

// keep remembers how to end a connection.
func (n *node) keep(c *conn, end func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns = map[net.Conn]func(){}
	}
	n.conns[c] = end
}

func (n *node) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// sever ends all connections to the node.
func (n *node) sever() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c, end := range n.conns {
		c.(*conn).severed.Store(true)
		end()
	}
	clear(n.conns)
}
