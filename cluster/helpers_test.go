package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers are what a probe of the tests asks, by data source name.
type servers struct {
	mu     sync.Mutex
	says   map[string]Status
	fails  map[string]error
	hangs  map[string]bool
	asked  map[string]int
	opened int
	closed int
}

func newServers() *servers {
	return &servers{says: map[string]Status{}, fails: map[string]error{}, hangs: map[string]bool{}, asked: map[string]int{}}
}

// set has a server answer with a status, or fail, or say nothing if both are nil.
func (s *servers) set(dsn string, status *Status, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.says, dsn)
	delete(s.fails, dsn)
	s.hangs[dsn] = status == nil && err == nil
	if status != nil {
		s.says[dsn] = *status
	}
	if err != nil {
		s.fails[dsn] = err
	}
}

func (s *servers) Target(dsn string) (sessionproxy.Target, error) {
	if dsn == "" {
		return sessionproxy.Target{}, errors.New("empty")
	}
	return sessionproxy.Target{System: sessionproxy.PostgreSQL, Host: dsn, Port: 5432, Namespace: "shop"}, nil
}

func (s *servers) Connect(ctx context.Context, dsn string) (ProbeConn, error) {
	c := &probeConn{servers: s, dsn: dsn}
	if err := c.fate(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	return c, nil
}

type probeConn struct {
	*servers
	dsn string
}

func (c *probeConn) fate(ctx context.Context) error {
	c.mu.Lock()
	hangs, err := c.hangs[c.dsn], c.fails[c.dsn]
	c.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (c *probeConn) Ask(ctx context.Context) (Status, error) {
	if err := c.fate(ctx); err != nil {
		return Status{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[c.dsn]++
	return c.says[c.dsn], nil
}

func (c *probeConn) Close(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
	return nil
}

// errRefused is the error of dialling where nobody listens.
var errRefused = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)

// configs are nodes a, b, c and so on, named as they are dialled.
func configs(n int) (out []NodeConfig) {
	for i := range n {
		name := string(rune('a' + i%26))
		if i >= 26 {
			name += name
		}
		if i >= 52 {
			name += "x"
		}
		out = append(out, NodeConfig{Name: name, DSN: name})
	}
	return out
}

// unwatched returns a cluster of so many nodes without monitors.
func unwatched(t testing.TB, n int, opts ...Option) *Cluster {
	t.Helper()
	c, err := newCluster(newServers(), configs(n), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// operation performs a call as a function says.
type operation func(ctx context.Context, call *sessionproxy.Call) error

// Do performs it.
func (o operation) Do(ctx context.Context, call *sessionproxy.Call) error { return o(ctx, call) }

// newCall returns a call of a handle.
func newCall(ctx context.Context, op sessionproxy.Op, text string, do operation) *sessionproxy.Call {
	call := new(sessionproxy.Call)
	attach.Reset(call, do)
	attach.Bind(ctx, call)
	call.Op, call.Text, call.Scope = op, text, sessionproxy.ScopePool
	call.Target = &sessionproxy.Target{System: sessionproxy.PostgreSQL, Namespace: "shop"}
	return call
}

func succeeds(context.Context, *sessionproxy.Call) error { return nil }
