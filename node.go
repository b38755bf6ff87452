package sessionproxy

import "slices"

// Node is one of the servers behind a handle that has several. It is made by a
// [Router], never changes, and is known by its pointer.
type Node struct {
	// Name is the server's name in its cluster. It is shown in telemetry.
	Name string
	// Index is the server's number in its cluster, from 0 to 63.
	Index int
	// Target is the database on this server.
	Target *Target
}

// A Router chooses the server for each attempt of a call, for handles that have
// several. Package cluster has one.
type Router interface {
	// Wrap returns a handler that chooses a node for a call ([Call.GoTo]) and
	// performs it there with next. inner are the links of which next is made,
	// for their [Chain.Admit]. Wrap must not call next.
	Wrap(inner Chain, next Handler) Handler
}

// PerNode is an [Interceptor] that keeps its state per server, such as a
// breaker. Of the chain of a handle that has several servers, it and all links
// further in see an attempt once its server has been chosen; those further out
// see the call with all its attempts.
type PerNode interface {
	// PerNode marks the interceptor. It is never called.
	PerNode()
}

// Route is [Chain.Then] for a handle with several servers: r chooses one for each
// attempt, between the links of c and the first that is [PerNode], or innermost
// if none is. Unlike with Then, an empty chain is not bypassed.
func (c Chain) Route(r Router, core Handler) Handler {
	at := slices.IndexFunc(c.links, func(i Interceptor) bool { _, ok := i.(PerNode); return ok })
	if at < 0 {
		at = len(c.links)
	}
	inner := NewChain(c.links[at:]...)
	return NewChain(c.links[:at]...).Then(r.Wrap(inner, inner.Then(core)))
}

// GoTo has the attempt at work go to n. A [Router] calls it before it calls next.
func (c *Call) GoTo(n *Node) {
	if c.Node != nil {
		c.tried |= 1 << c.Node.Index
	}
	c.Node, c.Target = n, n.Target
	if c.origin != nil {
		c.origin.forked.Or(1 << n.Index)
	}
}

// Tried returns the nodes that earlier attempts of the call and its other forks
// have used, as a set of bits by [Node.Index].
func (c *Call) Tried() uint64 {
	tried := c.tried | c.forked.Load()
	if c.Node != nil {
		tried |= 1 << c.Node.Index
	}
	if c.origin != nil {
		tried |= c.origin.forked.Load()
	}
	return tried
}
