package cluster

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// random returns a random number.
func random() uint64 { return rand.Uint64() }

// route is what a caller asks for; see [sessionproxy.WithRoute].
type route struct {
	role Role
	node string
}

// On returns a context whose calls go to a server of the role. It has no effect
// on what has its connection already: in a transaction, or on a connection that
// was taken from the pool. The server refuses a write that is sent to a replica.
// If no replica is fit, the primary serves the call, unless
// [WithoutPrimaryReads]. A role that is none of the named ones leaves the choice
// to the rules.
func On(ctx context.Context, role Role) context.Context {
	return sessionproxy.WithRoute(ctx, route{role: role})
}

// OnNode is [On] for the node of that name, whatever its role, while it is up. It
// is for maintenance and for tests: no other node takes its place.
func OnNode(ctx context.Context, name string) context.Context {
	return sessionproxy.WithRoute(ctx, route{node: name})
}

// want returns where a call that has no connection yet is to go, by its
// declarations. What is not certain to only read goes to the primary.
func want(call *sessionproxy.Call) route {
	if call.Marks.Verifying {
		return route{role: Primary}
	}
	if r, ok := call.Marks.Route.(route); ok && (r.node != "" || r.role == Primary || r.role == Replica) {
		return r
	}
	if reads(call) {
		return route{role: Replica}
	}
	return route{role: Primary}
}

// reads reports whether a call is certain to only read: the server refuses writes
// in it, or the caller says so and its text does.
func reads(call *sessionproxy.Call) bool {
	if call.Op != sessionproxy.OpQuery {
		return call.ReadOnly
	}
	if !call.Marks.ReadOnly || call.Prepared {
		return false
	}
	var system sessionproxy.System
	if call.Target != nil {
		system = call.Target.System
	}
	a := sqltext.AccessOf(sqltext.DialectOf(string(system)), call.Text)
	return a.ReadOnly && a.Single
}

// choose returns a node for a call, or nil if none is fit.
func (c *Cluster) choose(ctx context.Context, v *view, call *sessionproxy.Call, to route, inner *sessionproxy.Chain) *node {
	if to.node != "" {
		return c.named(v, to.node)
	}
	if to.role != Replica {
		return v.primary
	}
	tried := call.Tried()
	if n := pick(ctx, v.readers, tried, call, inner); n != nil {
		return n
	}
	if p := v.primary; c.fallback && p != nil && (tried&(1<<p.Index) == 0 || len(v.readers) == 0) {
		return p
	}
	return pick(ctx, v.readers, 0, call, inner)
}

// named returns the node of a name if it is fit, as far as the view knows.
func (c *Cluster) named(v *view, name string) *node {
	if v.primary != nil && v.primary.Name == name {
		return v.primary
	}
	for _, n := range v.readers {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// pick returns one of several nodes that were not tried: of two by chance, the one
// with less to do, and none that a breaker keeps calls from, as long as others are
// left. It returns nil if there is none.
func pick(ctx context.Context, among []*node, tried uint64, call *sessionproxy.Call, inner *sessionproxy.Chain) *node {
	var out uint64 // by their places in among
	if tried != 0 {
		for i, n := range among {
			if tried&(1<<n.Index) != 0 {
				out |= 1 << i
			}
		}
	}
	if bits.OnesCount64(out) == len(among) {
		return nil
	}
	if shut := refused(ctx, among, call, inner); bits.OnesCount64(out|shut) < len(among) {
		out |= shut
	}
	return lighter(among, out)
}

// refused returns the nodes to which a breaker would let no call pass. Only those
// are asked about on which a call has failed lately.
func refused(ctx context.Context, among []*node, call *sessionproxy.Call, inner *sessionproxy.Chain) (out uint64) {
	for i, n := range among {
		if n.wary.Load() && !admitted(ctx, n, call, inner) {
			out |= 1 << i
		}
	}
	return out
}

// admitted reports whether the links below would let a call to a node pass.
func admitted(ctx context.Context, n *node, call *sessionproxy.Call, inner *sessionproxy.Chain) bool {
	target := call.Target
	call.Target = n.Target
	err := inner.Admit(ctx, call)
	call.Target = target
	return err == nil
}

// lighter returns, of two nodes by chance that are not out, the one with less to
// do.
func lighter(among []*node, out uint64) *node {
	left := uint64(len(among) - bits.OnesCount64(out))
	if left == 1 {
		return nth(among, out, 0)
	}
	const half = 32 // of the random bits; a product of them needs no division
	r := random()
	first := r >> half * left >> half
	second := first + 1 + uint64(uint32(r))*(left-1)>>half
	if second >= left {
		second -= left
	}
	a, b := nth(among, out, first), nth(among, out, second)
	if b.active.Load() < a.active.Load() {
		return b
	}
	return a
}

// nth returns the i-th node that is not out.
func nth(among []*node, out, i uint64) *node {
	if out == 0 {
		return among[i]
	}
	for at, n := range among {
		if out&(1<<at) != 0 {
			continue
		}
		if i == 0 {
			return n
		}
		i--
	}
	panic(fmt.Sprintf("cluster: no node of %d is left by %b", len(among), out))
}
