package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

// settled returns an unwatched cluster with a primary and replicas.
func settled(t testing.TB, n int, opts ...Option) *Cluster {
	t.Helper()
	c := unwatched(t, n, opts...)
	for i, node := range c.nodes {
		s := Status{Role: Replica}
		if i == 0 {
			s = Status{Role: Primary, Term: 1}
		}
		c.learn(node, s, nil, 0, time.Now())
	}
	return c
}

// Choosing a node allocates nothing.
func TestRoutingAllocatesNothing(t *testing.T) {
	c := settled(t, 3)
	h := c.Wrap(sessionproxy.Chain{}, attach.Perform)
	for _, ctx := range []context.Context{context.Background(), sessionproxy.WithReadOnly(context.Background())} {
		call := newCall(ctx, sessionproxy.OpQuery, "SELECT 1", succeeds)
		got := alloctest.PerRun(100, func() {
			if err := h(ctx, call); err != nil {
				t.Fatal(err)
			}
			call.Node = nil
		})
		if got > 0 {
			t.Errorf("%v allocations, want none", got)
		}
	}
}

// A read that was tried on one replica goes to the other, and the forks of a call
// do not go to the same.
func TestEachAttemptTakesAnotherNode(t *testing.T) {
	t.Parallel()
	c := settled(t, 3)
	ctx := sessionproxy.WithReadOnly(t.Context())
	for range 50 {
		var got []string
		call := newCall(ctx, sessionproxy.OpQuery, "SELECT 1", func(_ context.Context, call *sessionproxy.Call) error {
			got = append(got, call.Node.Name)
			return errors.New("no")
		})
		h := sessionproxy.NewChain(sessionproxy.InterceptorFunc(func(next sessionproxy.Handler) sessionproxy.Handler {
			return func(ctx context.Context, call *sessionproxy.Call) error {
				_ = call.Try(ctx, next)
				return call.Try(ctx, next)
			}
		})).Route(c, attach.Perform)
		_, _ = attach.Run(ctx, call, h)
		if len(got) != 2 || got[0] == got[1] || got[0] == "a" || got[1] == "a" {
			t.Fatalf("attempts went to %v", got)
		}
	}
}

// A breaker that refuses calls to a node has the choice fall on the others.
func TestANodeWhoseBreakerIsOpenIsSkipped(t *testing.T) {
	t.Parallel()
	c := settled(t, 3)
	shut := &refuser{node: "b"}
	h := sessionproxy.NewChain(shut).Route(c, attach.Perform)
	ctx := sessionproxy.WithReadOnly(t.Context())
	refusals := 0
	for range 100 {
		call := newCall(ctx, sessionproxy.OpQuery, "SELECT 1", succeeds)
		if _, err := attach.Run(ctx, call, h); err != nil {
			refusals++
		}
	}
	if refusals > 1 {
		t.Errorf("%d calls went to the node that refuses, want 1 at most: the one that finds out", refusals)
	}
	shut.node = ""
	call := newCall(ctx, sessionproxy.OpQuery, "SELECT 1", succeeds)
	if _, err := attach.Run(ctx, call, h); err != nil {
		t.Error(err)
	}
}

// refuser refuses calls to one node, as a breaker does.
type refuser struct{ node string }

func (*refuser) PerNode() {}

func (r *refuser) Admit(_ context.Context, call *sessionproxy.Call) error {
	if r.node != "" && call.Target.Host == r.node {
		return fmt.Errorf("open: %w", fault.ErrRejected)
	}
	return nil
}

func (r *refuser) Wrap(next sessionproxy.Handler) sessionproxy.Handler {
	return func(ctx context.Context, call *sessionproxy.Call) error {
		if err := r.Admit(ctx, call); err != nil {
			return err
		}
		return next(ctx, call)
	}
}

// What has its connection is left where it is; a unit's BEGIN goes where the unit
// does, and a unit of another cluster has no say.
func TestWhatIsBoundStays(t *testing.T) {
	t.Parallel()
	c, other := settled(t, 2), settled(t, 3)
	h := sessionproxy.NewChain().Route(c, attach.Perform)
	ctx := t.Context()
	for _, p := range []struct {
		node *sessionproxy.Node
		want string
	}{{&c.nodes[1].Node, "b"}, {&other.nodes[1].Node, "a"}} {
		unit := newCall(ctx, sessionproxy.OpTransaction, "", succeeds)
		unit.GoTo(p.node)
		inside := attach.Context(ctx, unit)
		begin := newCall(inside, sessionproxy.OpBegin, "", succeeds)
		if err := h(inside, begin); err != nil || begin.Node.Name != p.want {
			t.Errorf("BEGIN of a unit on %s: on %v, %v", p.node.Name, begin.Node, err)
		}
	}
	reading := newCall(ctx, sessionproxy.OpTransaction, "", succeeds)
	reading.ReadOnly = true
	reading.GoTo(&c.nodes[1].Node)
	inside := attach.Context(ctx, reading)
	for want, readOnly := range map[string]bool{"a": false, "b": true} {
		begin := newCall(inside, sessionproxy.OpBegin, "", succeeds)
		begin.ReadOnly = readOnly
		if err := h(inside, begin); err != nil || begin.Node.Name != want {
			t.Errorf("BEGIN, read-only %t, in a read-only unit on a replica: on %v, %v", readOnly, begin.Node, err)
		}
	}
	bound := newCall(ctx, sessionproxy.OpExec, "DELETE FROM x", succeeds)
	bound.Scope = sessionproxy.ScopeConn
	bound.GoTo(&c.nodes[1].Node)
	if err := h(ctx, bound); err != nil || bound.Node.Name != "b" {
		t.Errorf("a statement on a connection: on %v, %v", bound.Node, err)
	}
}

// 64 nodes and 1,000 changes under load: nobody is sent to a node that is not
// there.
func TestManyNodesAndChanges(t *testing.T) {
	t.Parallel()
	c := settled(t, 64)
	h := sessionproxy.NewChain().Route(c, attach.Perform)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				inside := ctx
				if i%2 == 0 {
					inside = sessionproxy.WithReadOnly(ctx)
				}
				call := newCall(inside, sessionproxy.OpQuery, "SELECT 1", succeeds)
				if _, err := attach.Run(inside, call, h); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 1000 {
		n := c.nodes[i%64]
		switch role := Replica; {
		case i%3 == 0:
			c.doubt(n)
		case i%64 == 0:
			c.learn(n, Status{Role: Primary, Term: 1}, nil, n.doubts, time.Now())
		default:
			c.learn(n, Status{Role: role}, nil, n.doubts, time.Now())
		}
	}
	c.learn(c.nodes[0], Status{Role: Primary, Term: 1}, nil, c.nodes[0].doubts, time.Now())
	stop()
	wg.Wait()
}

// BenchmarkRoute measures the choice of a node and what surrounds it.
func BenchmarkRoute(b *testing.B) {
	c := settled(b, 3)
	h := c.Wrap(sessionproxy.Chain{}, func(context.Context, *sessionproxy.Call) error { return nil })
	for name, ctx := range map[string]context.Context{"primary": context.Background(), "replica": sessionproxy.WithReadOnly(context.Background())} {
		call := newCall(ctx, sessionproxy.OpQuery, "SELECT 1", succeeds)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = h(ctx, call)
				call.Node = nil
			}
		})
	}
}
