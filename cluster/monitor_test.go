package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// watched opens a cluster of nodes a, b, c in a bubble of virtual time, of which a
// is the primary.
func watched(t *testing.T, s *servers, opts ...Option) *Cluster {
	t.Helper()
	s.set("a", &Status{Role: Primary, Term: 1, Position: 100}, nil)
	s.set("b", &Status{Role: Replica, Position: 100}, nil)
	s.set("c", &Status{Role: Replica, Position: 100}, nil)
	c, err := New(s, configs(3), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if s.opened != s.closed {
			t.Errorf("monitors opened %d connections and closed %d", s.opened, s.closed)
		}
	})
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func primaryOf(c *Cluster) string {
	if n := c.Primary(); n != nil {
		return n.Name
	}
	return "none"
}

func readersOf(c *Cluster) (names string) {
	for _, n := range c.view.Load().readers {
		names += n.Name
	}
	return names
}

// A call that finds no primary waits for the promotion, holds nothing meanwhile,
// and goes to the new one; until then a monitor asks ten times as often.
func TestACallWaitsForThePromotion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		c := watched(t, s)
		h := sessionproxy.NewChain().Route(c, attach.Perform)
		s.set("a", nil, errRefused)
		var on []string
		call := newCall(t.Context(), sessionproxy.OpExec, "DELETE FROM x", func(_ context.Context, call *sessionproxy.Call) error {
			if on = append(on, call.Node.Name); call.Node.Name == "a" {
				return net.ErrClosed // noticed before the monitor asks again
			}
			return nil
		})
		var held holding
		call.Hold(&held, func(error) {})
		var events []sessionproxy.Event
		call.OnEvent(func(e sessionproxy.Event) { events = append(events, e) })
		go func() {
			time.Sleep(time.Second)
			s.set("b", &Status{Role: Primary, Term: 2, Position: 200}, nil)
		}()
		start := time.Now()
		_ = call.Try(t.Context(), h)
		if err := call.Try(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < time.Second || waited > time.Second+200*time.Millisecond {
			t.Errorf("waited %v for a promotion after a second", waited)
		}
		if got := strings.Join(on, ""); got != "ab" {
			t.Errorf("attempts on %s, want ab", got)
		}
		if held != "yielded, resumed" {
			t.Errorf("what the call holds was %s", held)
		}
		kinds := []sessionproxy.EventKind{}
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		if !slices.Equal(kinds, []sessionproxy.EventKind{sessionproxy.EventNoNode, sessionproxy.EventNode}) {
			t.Errorf("events %v", kinds)
		}
	})
}

// holding writes down what becomes of it.
type holding string

func (h *holding) Yield(*sessionproxy.Call) { *h += "yielded, " }

func (h *holding) Resume(context.Context, *sessionproxy.Call) error { *h += "resumed"; return nil }

// Limits of the wait: the context, WithFailoverTimeout, WithFailoverWaiters, Close.
func TestTheWaitForANodeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		c := watched(t, s, WithFailoverTimeout(5*time.Second), WithFailoverWaiters(1))
		h := sessionproxy.NewChain().Route(c, attach.Perform)
		s.set("a", nil, errRefused)
		time.Sleep(2 * time.Second)
		exec := func(ctx context.Context) error {
			call := newCall(ctx, sessionproxy.OpExec, "DELETE FROM x", succeeds)
			_, err := attach.Run(ctx, call, h)
			var none *NoNodeError
			if !errors.As(err, &none) || none.Role != Primary || fault.Of(err, fault.Situation{}).Class == fault.ClassNone {
				t.Errorf("the error is %v", err)
			}
			if !errors.Is(err, ErrNoNode) || !errors.Is(err, fault.ErrRejected) {
				t.Errorf("%v does not match", err)
			}
			return err
		}
		start := time.Now()
		_ = exec(t.Context())
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("waited %v, want 5 s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		go func() {
			time.Sleep(500 * time.Millisecond)
			_ = exec(t.Context()) // one too many
			if d := time.Since(start); d != 500*time.Millisecond {
				t.Errorf("the second one waited until %v", d)
			}
		}()
		if err := exec(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("until the deadline: %v after %v", err, time.Since(start))
		}
		go func() {
			time.Sleep(time.Second)
			_ = c.Close()
		}()
		if err := exec(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A server that hangs is suspect after one question, down after two, and then what
// runs on it is ended, nothing is dialled to it, and its pools are told.
func TestAServerThatHangsIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		c := watched(t, s)
		var mu sync.Mutex
		down := ""
		defer c.OnDown(func(n *sessionproxy.Node) {
			mu.Lock()
			defer mu.Unlock()
			down += n.Name
		})()
		fell := func() string {
			mu.Lock()
			defer mu.Unlock()
			return down
		}
		nodes, dsns := c.Nodes()
		if len(nodes) != 3 || dsns[1] != "b" {
			t.Fatal(nodes, dsns)
		}
		dialled := 0
		dial := c.Dialer(nodes[1], func(ctx context.Context, _, _ string) (net.Conn, error) {
			if dialled++; dialled == 2 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			ours, theirs := net.Pipe()
			go func() { // until it is closed
				_, _ = theirs.Read(make([]byte, 1))
				_ = theirs.Close()
			}()
			return ours, nil
		})
		conn, err := dial(t.Context(), "tcp", "b")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2)
		go func() {
			_, err := conn.Read(make([]byte, 1))
			ended <- err
		}()
		go func() {
			_, err := dial(t.Context(), "tcp", "b")
			ended <- err
		}()
		synctest.Wait()
		s.set("b", nil, nil)
		after := func(state State) time.Duration {
			start := time.Now()
			for c.Status()[1].State != state {
				time.Sleep(time.Millisecond)
			}
			return time.Since(start)
		}
		if took := after(Suspect); took > 1600*time.Millisecond || readersOf(c) != "c" || fell() != "" {
			t.Errorf("after one question, in %v, readers are %s, down %q", took, readersOf(c), fell())
		}
		if took := after(Down); took > 530*time.Millisecond {
			t.Errorf("down %v later", took)
		}
		synctest.Wait()
		if fell() != "b" {
			t.Errorf("down: %q", fell())
		}
		for range 2 {
			err := <-ended
			if v := fault.Of(err, fault.Situation{}); !errors.Is(err, ErrNodeDown) || v.Class != fault.ClassConnectionLost && v.Class != fault.ClassConnect {
				t.Errorf("what ran on it ended with %v: %v", err, v.Class)
			}
		}
		if _, err := dial(t.Context(), "tcp", "b"); !errors.Is(err, ErrNodeDown) || dialled != 2 {
			t.Errorf("dialling a server that is down: %v", err)
		}
		s.set("b", &Status{Role: Replica, Position: 100}, nil)
		time.Sleep(2 * time.Second)
		if got := readersOf(c); got != "bc" {
			t.Errorf("after it came back readers are %s", got)
		}
		conn, err = dial(t.Context(), "tcp", "b")
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if n := len(c.nodes[1].conns); n != 0 {
			t.Errorf("%d connections are remembered", n)
		}
	})
}

// Two primaries: the higher term wins; with equal ones, and when the one with the
// highest term is away, there is none.
func TestSplitBrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		var splits atomic.Int64
		c := watched(t, s, WithOnChange(func(c Change) {
			if c.Split {
				splits.Add(1)
			}
		}))
		step := func(what, want string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			if got := primaryOf(c); got != want {
				t.Errorf("%s: the primary is %s, want %s", what, got, want)
			}
		}
		s.set("b", &Status{Role: Primary, Term: 1}, nil)
		step("two with the same term", "none")
		if splits.Load() == 0 {
			t.Error("nobody was told")
		}
		if err := c.Ready(canceled(t)); err == nil || !strings.Contains(err.Error(), "can't be decided") {
			t.Error(err)
		}
		s.set("b", &Status{Role: Primary, Term: 2}, nil)
		step("one with a higher term", "b")
		s.set("b", nil, errRefused)
		step("the old one alone", "none")
		s.set("c", &Status{Role: Primary, Term: 2}, nil)
		step("another one with the same term", "none")
		s.set("c", &Status{Role: Primary, Term: 3}, nil)
		step("one with a higher one", "c")
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// A replica lags since the primary was seen to have what it has not, and gets no
// reads beyond the bound.
func TestReadsStayAwayFromAReplicaThatLags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		c := watched(t, s, WithMaxLag(5*time.Second))
		for i := range 4 {
			s.set("a", &Status{Role: Primary, Term: 1, Position: uint64(200 + i)}, nil)
			s.set("b", &Status{Role: Replica, Position: uint64(200 + i)}, nil)
			time.Sleep(time.Second)
		}
		if got, lag := readersOf(c), c.Status()[2].Lag; got != "bc" || lag < time.Second || lag > 5*time.Second {
			t.Errorf("after 4 s: readers %s, lag %v", got, lag)
		}
		time.Sleep(5 * time.Second) // an idle primary: b has all of it
		if got, lag := readersOf(c), c.Status()[1].Lag; got != "b" || lag != 0 {
			t.Errorf("after 9 s: readers %s, lag of b %v", got, lag)
		}
		s.set("c", &Status{Role: Replica, Position: 203}, nil)
		time.Sleep(2 * time.Second)
		if got := readersOf(c); got != "bc" {
			t.Errorf("after it has caught up: readers %s", got)
		}
	})
}

// A server that answers with an error is there: what runs on it is left alone.
func TestAServerThatRefusesTheMonitorIsNotDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		c := watched(t, s)
		s.set("a", nil, fmt.Errorf("connect: %w", sqlState("53300")))
		time.Sleep(5 * time.Second)
		if got := c.Status()[0].State; got != Unknown || primaryOf(c) != "none" {
			t.Errorf("it is %v", got)
		}
	})
}

type sqlState string

func (s sqlState) Error() string    { return "ERROR (SQLSTATE " + string(s) + ")" }
func (s sqlState) SQLState() string { return string(s) }

// What New does not take, it refuses with a reason.
func TestWhatNewRefuses(t *testing.T) {
	t.Parallel()
	two := configs(2)
	for want, build := range map[string]func() (*Cluster, error){
		"the probe is nil": func() (*Cluster, error) { return New(nil, two) },
		"0 nodes":          func() (*Cluster, error) { return New(newServers(), nil) },
		"65 nodes":         func() (*Cluster, error) { return New(newServers(), configs(65)) },
		"has no name":      func() (*Cluster, error) { return New(newServers(), []NodeConfig{{DSN: "x"}}) },
		"the name \"a\"":   func() (*Cluster, error) { return New(newServers(), []NodeConfig{two[0], two[0]}) },
		"the same server":  func() (*Cluster, error) { return New(newServers(), []NodeConfig{two[0], {Name: "z", DSN: "a"}}) },
		"node \"z\"":       func() (*Cluster, error) { return New(newServers(), []NodeConfig{{Name: "z"}}) },
		"WithInterval":     func() (*Cluster, error) { return New(newServers(), two, WithInterval(0)) },
		"WithMisses":       func() (*Cluster, error) { return New(newServers(), two, WithMisses(0)) },
		"WithFailoverWaiters": func() (*Cluster, error) {
			return New(newServers(), two, WithFailoverWaiters(-1))
		},
	} {
		if _, err := build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %s", err, want)
		}
	}
	secret := NodeConfig{Name: "a", DSN: "postgres://u:secret@a/b"}
	if s := fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, secret); strings.Contains(s, "secret") {
		t.Errorf("a node is shown as %s", s)
	}
}
