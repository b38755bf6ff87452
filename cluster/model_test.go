package cluster

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy"
)

// model is what the answers and faults so far allow, by the words of the
// documentation.
type model struct {
	asked, sound []bool
	last         []Status
	term         uint64
	holder       int
}

// primaries returns the nodes that may be the primary: one at most.
func (m *model) primary() int {
	best := -1
	for i, s := range m.last {
		if !m.asked[i] {
			return -1
		}
		if m.sound[i] && s.Role == Primary && (best < 0 || s.Term > m.last[best].Term) {
			best = i
		}
	}
	if best < 0 {
		return -1
	}
	term := m.last[best].Term
	for i, s := range m.last {
		if i != best && m.sound[i] && s.Role == Primary && s.Term == term {
			return -1
		}
	}
	if term < m.term || term == m.term && term != 0 && m.holder != best {
		return -1
	}
	m.term, m.holder = term, best
	return best
}

// Whatever servers answer and calls find, there is one primary or none, no node is
// chosen that is not fit, none that was used while another is left, and what is
// not certain to only read goes to the primary.
func TestTheRulesOfChoice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "nodes")
		c, err := newCluster(newServers(), configs(n), nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &model{asked: make([]bool, n), sound: make([]bool, n), last: make([]Status, n), holder: -1}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "node")
			switch rapid.SampledFrom([]string{"answer", "answer", "answer", "silence", "refusal", "error", "doubt", "late answer"}).Draw(t, "step") {
			case "answer":
				s := drawStatus(t)
				c.learn(c.nodes[i], s, nil, c.nodes[i].doubts, time.Now())
				m.asked[i], m.sound[i], m.last[i] = true, true, s
			case "late answer": // to a question from before a call found the node at fault
				s := drawStatus(t)
				before := c.nodes[i].doubts
				c.doubt(c.nodes[i])
				c.learn(c.nodes[i], s, nil, before, time.Now())
				m.asked[i], m.sound[i], m.last[i] = true, false, s
			case "silence":
				c.learn(c.nodes[i], Status{}, context.DeadlineExceeded, c.nodes[i].doubts, time.Now())
				m.asked[i], m.sound[i] = true, false
			case "refusal":
				c.learn(c.nodes[i], Status{}, errRefused, c.nodes[i].doubts, time.Now())
				m.asked[i], m.sound[i] = true, false
			case "error":
				c.learn(c.nodes[i], Status{}, errors.New("what is this"), c.nodes[i].doubts, time.Now())
				m.asked[i], m.sound[i] = true, false
			case "doubt":
				c.doubt(c.nodes[i])
				m.sound[i] = false
			}
			checkView(t, c, m)
			checkChoice(t, c, m)
		}
	})
}

func drawStatus(t *rapid.T) Status {
	s := Status{Role: rapid.SampledFrom([]Role{Primary, Replica, Replica}).Draw(t, "role")}
	if s.Role == Primary {
		s.Term = rapid.Uint64Range(0, 3).Draw(t, "term")
	}
	return s
}

func checkView(t *rapid.T, c *Cluster, m *model) {
	v, want := c.view.Load(), m.primary()
	switch {
	case want < 0 && v.primary != nil:
		t.Fatalf("the primary is %s, want none", v.primary.Name)
	case want >= 0 && v.primary != c.nodes[want]:
		t.Fatalf("the primary is %v, want %s", v.primary, c.nodes[want].Name)
	}
	for i, n := range c.nodes {
		if fit := m.asked[i] && m.sound[i] && m.last[i].Role == Replica; fit != slices.Contains(v.readers, n) {
			t.Fatalf("%s is among the readers: %t", n.Name, !fit)
		}
	}
}

func checkChoice(t *rapid.T, c *Cluster, m *model) {
	ctx := context.Background()
	declared, plain := rapid.Bool().Draw(t, "declared"), rapid.Bool().Draw(t, "plain")
	prepared, verifying := rapid.Bool().Draw(t, "prepared"), rapid.Bool().Draw(t, "verifying")
	certain := declared && plain && !prepared && !verifying
	if declared {
		ctx = sessionproxy.WithReadOnly(ctx)
	}
	if verifying {
		ctx = sessionproxy.WithVerifying(ctx)
	}
	text := "SELECT 1"
	if !plain {
		text = rapid.SampledFrom([]string{"SELECT 1 FOR UPDATE", "DELETE FROM x", "SELECT 1; DELETE FROM x", "CALL x()"}).Draw(t, "text")
	}
	call := newCall(ctx, sessionproxy.OpQuery, text, succeeds)
	call.Prepared = prepared
	used := rapid.Uint64Range(0, 1<<len(c.nodes)-1).Draw(t, "used")
	for i, n := range c.nodes {
		if used&(1<<i) != 0 {
			call.GoTo(&n.Node)
		}
	}
	call.Target = &sessionproxy.Target{System: sessionproxy.PostgreSQL}
	v := c.view.Load()
	n := c.choose(ctx, v, call, want(call), &sessionproxy.Chain{})
	if !certain || len(v.readers) == 0 {
		if n != v.primary {
			t.Fatalf("%q goes to %v", text, n)
		}
		return
	}
	fresh := slices.ContainsFunc(v.readers, func(n *node) bool { return used&(1<<n.Index) == 0 })
	if p := v.primary; !fresh && p != nil && used&(1<<p.Index) == 0 {
		if n != p {
			t.Fatalf("a read that has used all replicas goes to %v, want the primary", n)
		}
		return
	}
	if !slices.Contains(v.readers, n) {
		t.Fatalf("a read goes to %v, which is no reader", n)
	}
	if fresh && used&(1<<n.Index) != 0 {
		t.Fatalf("a read goes to %s, which it has used, though others are left", n.Name)
	}
}
