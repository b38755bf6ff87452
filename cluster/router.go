package cluster

import (
	"context"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Wrap returns a handler that chooses a server for each attempt; see
// [sessionproxy.Router].
func (c *Cluster) Wrap(inner sessionproxy.Chain, next sessionproxy.Handler) sessionproxy.Handler {
	l := &link{Cluster: c, inner: inner, next: next}
	return l.handle
}

// link is a cluster's place in one chain.
type link struct {
	*Cluster
	inner sessionproxy.Chain
	next  sessionproxy.Handler
}

func (l *link) handle(ctx context.Context, call *sessionproxy.Call) error {
	if call.Level == sessionproxy.LevelSession && call.Op != sessionproxy.OpTransaction {
		return l.next(ctx, call) // its statements are routed
	}
	if bound(call) {
		return l.follow(ctx, call)
	}
	if n := l.inherited(call); n != nil {
		call.GoTo(&n.Node)
		return l.follow(ctx, call)
	}
	n, err := l.route(ctx, call)
	if err != nil {
		return err
	}
	return l.perform(ctx, call, n)
}

// route returns the node for a call, and tells the call.
func (l *link) route(ctx context.Context, call *sessionproxy.Call) (*node, error) {
	to := want(call)
	n := l.choose(ctx, l.view.Load(), call, to, &l.inner)
	if n == nil {
		var err error
		if n, err = l.await(ctx, call, to); err != nil {
			return nil, err
		}
	}
	before := call.Node
	call.GoTo(&n.Node)
	if before != nil && before != call.Node {
		call.Event(sessionproxy.Event{Kind: sessionproxy.EventNode, Attempt: call.Attempt(), Detail: n.Name})
	}
	return n, nil
}

// bound reports whether a call has its connection, or is the making of one to a
// node that is given.
func bound(call *sessionproxy.Call) bool {
	return call.Scope == sessionproxy.ScopeConn || call.InTx || call.Op == sessionproxy.OpConnect
}

// inherited returns the node that a call has from the one that it is part of: a
// step has that of its call, the BEGIN of a unit of work the unit's.
func (l *link) inherited(call *sessionproxy.Call) *node {
	p := call.Parent
	if p == nil || p.Node == nil || !call.Step() && (call.Op != sessionproxy.OpBegin || p.Op != sessionproxy.OpTransaction || p.ReadOnly != call.ReadOnly) {
		return nil
	}
	if i := p.Node.Index; i < len(l.nodes) && &l.nodes[i].Node == p.Node {
		return l.nodes[i]
	}
	return nil // of another cluster
}

// follow performs a call whose node is given. What the call above reports of a
// fault is not reported twice.
func (l *link) follow(ctx context.Context, call *sessionproxy.Call) error {
	err := l.next(ctx, call)
	if err != nil && call.Node != nil && call.Unit() == nil && !call.Step() {
		l.observe(l.nodes[call.Node.Index], call, err, false)
	}
	return err
}

// perform performs a call on a node.
func (l *link) perform(ctx context.Context, call *sessionproxy.Call, n *node) error {
	n.active.Add(1)
	defer n.active.Add(-1)
	err := l.next(ctx, call)
	if err != nil {
		l.observe(n, call, err, true)
	} else if n.wary.Load() {
		n.wary.Store(false)
	}
	return err
}

// observe takes note of what the error of a call says about its node.
func (l *link) observe(n *node, call *sessionproxy.Call, err error, chosen bool) {
	v := call.Verdict(err)
	if v.Breaker == fault.BreakerFailure || v.Class == fault.ClassRejected {
		n.wary.Store(true)
	}
	switch v.Class {
	case fault.ClassConnect, fault.ClassConnectionLost, fault.ClassServerDown:
		l.doubt(n)
	case fault.ClassReadOnly:
		if chosen && !call.ReadOnly && l.view.Load().primary == n {
			l.doubt(n)
		}
	case fault.ClassTimeout, fault.ClassAttemptTimeout:
		n.poke()
	}
}

// await waits for a node that is fit for a call. Meanwhile the call gives back
// what it holds.
func (l *link) await(ctx context.Context, call *sessionproxy.Call, to route) (n *node, err error) {
	start := time.Now()
	refuse := func(v *view, cause error) error {
		return &NoNodeError{Role: to.role, Node: to.node, Split: v.split, Waited: time.Since(start), Err: cause}
	}
	if l.waiting.Add(1) > l.waiters {
		l.waiting.Add(-1)
		return nil, refuse(l.view.Load(), nil)
	}
	defer l.waiting.Add(-1)
	err = call.Wait(ctx, func(ctx context.Context) error {
		limit := time.NewTimer(l.failover)
		defer limit.Stop()
		for {
			v := l.view.Load()
			if n = l.choose(ctx, v, call, to, &l.inner); n != nil {
				return nil
			}
			select {
			case <-v.changed:
			case <-limit.C:
				return refuse(v, nil)
			case <-ctx.Done():
				return refuse(v, context.Cause(ctx))
			case <-l.ctx.Done():
				return refuse(v, ErrClosed)
			}
		}
	})
	call.Event(sessionproxy.Event{Kind: sessionproxy.EventNoNode, Delay: time.Since(start), Err: err, Detail: to.role.String()})
	if err != nil {
		call.Judge(ctx, err, fault.PhaseAcquire, fault.ProgressUnsent)
		return nil, err
	}
	return n, nil
}
