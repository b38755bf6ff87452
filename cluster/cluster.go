package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionproxy/sessionproxy"
)

// Cluster is a primary and its replicas, watched by monitors. It is the
// [sessionproxy.Router] of the handles that are opened on it, of any driver. It
// is safe for concurrent use.
type Cluster struct {
	config
	probe Probe
	nodes []*node

	view    atomic.Pointer[view]
	waiting atomic.Int64
	ctx     context.Context // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	epoch  uint64
	term   uint64 // the highest of a primary so far
	holder *node  // that had it
	past   history
	downs  map[*func(*sessionproxy.Node)]struct{} // whom to tell of nodes that are down
}

var _ sessionproxy.Router = (*Cluster)(nil)

// maxNodes is what fits into a set of bits.
const maxNodes = 64

// New returns a cluster of nodes and begins to watch them; it does not wait for
// them. [Cluster.Close] ends that. It is an error if there are no nodes or more
// than 64, if a name is empty or there twice, if two have the same address, if
// probe can't read a data source name, or if an option is out of its range.
func New(probe Probe, nodes []NodeConfig, opts ...Option) (*Cluster, error) {
	c, err := newCluster(probe, nodes, opts)
	if err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		c.running.Go(func() { c.watch(n) })
	}
	return c, nil
}

// newCluster returns a cluster that nobody watches.
func newCluster(probe Probe, nodes []NodeConfig, opts []Option) (*Cluster, error) {
	if probe == nil {
		return nil, errors.New("cluster: new: the probe is nil")
	}
	c := &Cluster{config: defaultConfig(), probe: probe, downs: map[*func(*sessionproxy.Node)]struct{}{}}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c.config); err != nil {
			return nil, err
		}
	}
	if len(nodes) == 0 || len(nodes) > maxNodes {
		return nil, fmt.Errorf("cluster: new: %d nodes, want 1 to %d", len(nodes), maxNodes)
	}
	for _, config := range nodes {
		if err := c.add(config); err != nil {
			return nil, err
		}
	}
	c.view.Store(&view{changed: make(chan struct{})})
	c.ctx, c.end = context.WithCancel(context.Background())
	return c, nil
}

func (c *Cluster) add(config NodeConfig) error {
	if config.Name == "" {
		return fmt.Errorf("cluster: new: node %d has no name", len(c.nodes)+1)
	}
	target, err := c.probe.Target(config.DSN)
	if err != nil {
		return fmt.Errorf("cluster: new: node %q: %w", config.Name, err)
	}
	for _, other := range c.nodes {
		if other.Name == config.Name {
			return fmt.Errorf("cluster: new: two nodes have the name %q", config.Name)
		}
		if *other.Target == target {
			return fmt.Errorf("cluster: new: nodes %q and %q are the same server", other.Name, config.Name)
		}
	}
	c.nodes = append(c.nodes, &node{
		Node: sessionproxy.Node{Name: config.Name, Index: len(c.nodes), Target: &target},
		dsn:  config.DSN, kick: make(chan struct{}, 1),
	})
	return nil
}

// Close ends the monitors and waits for them, and has calls fail that wait for a
// server. Close the handles first: they keep their connections. It always returns
// nil.
func (c *Cluster) Close() error {
	c.end()
	c.running.Wait()
	return nil
}

// Ready waits until there is a primary, at most until ctx ends or the cluster is
// closed. It returns the error that a call would get.
func (c *Cluster) Ready(ctx context.Context) error {
	for {
		v := c.view.Load()
		if v.primary != nil {
			return nil
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return &NoNodeError{Role: Primary, Split: v.split, Err: context.Cause(ctx)}
		case <-c.ctx.Done():
			return &NoNodeError{Role: Primary, Split: v.split, Err: ErrClosed}
		}
	}
}

// Status returns what is known of each server, in the order of [New].
func (c *Cluster) Status() []NodeStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]NodeStatus, len(c.nodes))
	for i, n := range c.nodes {
		out[i] = NodeStatus{
			Name: n.Name, Target: *n.Target, State: n.shown(), Status: n.status, Lag: n.lag,
			Active: int(n.active.Load()),
		}
	}
	return out
}

// Nodes returns the servers with their data source names, for the driver
// integration that opens a handle on them; dsns[i] is nodes[i]'s.
func (c *Cluster) Nodes() (nodes []*sessionproxy.Node, dsns []string) {
	for _, n := range c.nodes {
		nodes, dsns = append(nodes, &n.Node), append(dsns, n.dsn)
	}
	return nodes, dsns
}

// Target returns what calls have as their target until a node is chosen: the
// database without a server.
func (c *Cluster) Target() sessionproxy.Target {
	t := *c.nodes[0].Target
	names := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		names[i] = n.Target.String()
	}
	t.Host, t.Port = "", 0
	return t.WithIdentity("cluster " + strings.Join(names, " "))
}

// Primary returns the primary, or nil if there is none at this moment.
func (c *Cluster) Primary() *sessionproxy.Node {
	if n := c.view.Load().primary; n != nil {
		return &n.Node
	}
	return nil
}

// jitter spreads d by a tenth, so that monitors do not ask all at once.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(random()%uint64(d/5+1))
}
