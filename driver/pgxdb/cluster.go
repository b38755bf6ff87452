package pgxdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/cluster"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

// NewCluster creates a pool for each server of a cluster, as [NewPool] does, and
// attaches chain to all of them: one handle, whose calls go to the server that
// the cluster chooses for each attempt.
//
//   - Units of work, transactions, and whatever is not certain to only read go to
//     the primary.
//   - A unit or transaction with [pgx.ReadOnly] goes to a replica, and a query
//     that is marked with [sp.WithReadOnly] and whose SQL text is one statement
//     that only reads.
//   - What has its connection stays on it: in a transaction, on a connection of
//     [Pool.Acquire].
//   - [cluster.On] says otherwise.
//
// Opening a connection is a call of the chain too, with the server as its target.
// The pool is closed by [Pool.Close], before the cluster. A data source name with
// several hosts, with target_session_attrs, or that pgx can't read is an error,
// and so is [WithTarget]: each server has a target of its own.
func NewCluster(ctx context.Context, cl *cluster.Cluster, chain sp.Chain, opts ...Option) (*Pool, error) {
	if cl == nil {
		return nil, errors.New("pgxdb: new cluster: the cluster is nil")
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if c.target != nil {
		return nil, errors.New("pgxdb: new cluster: WithTarget: each server has a target of its own")
	}
	target := cl.Target()
	c.target, c.router = &target, cl
	ns := &nodes{cluster: cl}
	all, dsns := cl.Nodes()
	configs := make([]*pgxpool.Config, len(all))
	for i, dsn := range dsns {
		if configs[i], _, err = parseNode(dsn); err != nil {
			return nil, fmt.Errorf("pgxdb: new cluster: node %q: %w", all[i].Name, err)
		}
	}
	p := newPipeline(chain, c, configs[0].ConnConfig)
	p.nodes, p.connects = ns, true
	for i, config := range configs {
		own := config.Copy()
		own.ConnConfig.DialFunc = cl.Dialer(all[i], own.ConnConfig.DialFunc)
		p.interceptConnect(own, all[i])
		pool, err := pgxpool.NewWithConfig(ctx, own)
		if err != nil {
			for _, made := range ns.pools {
				made.Close()
			}
			return nil, err
		}
		ns.pools = append(ns.pools, pool)
	}
	ns.forget = cl.OnDown(func(n *sp.Node) { ns.pools[n.Index].Reset() })
	return newPool(p, ns.pools[0], configs[0]), nil
}

// nodes are the pools of a cluster, by [sp.Node.Index].
type nodes struct {
	cluster *cluster.Cluster
	pools   []*pgxpool.Pool
	forget  func() // ends what the cluster tells of nodes that are down
}

// main returns the pool of the primary, or the first.
func (n *nodes) main() *pgxpool.Pool {
	if primary := n.cluster.Primary(); primary != nil {
		return n.pools[primary.Index]
	}
	return n.pools[0]
}

// pools returns all pools of the handle.
func (p *Pool) pools() []*pgxpool.Pool {
	if p.nodes != nil {
		return p.nodes.pools
	}
	return []*pgxpool.Pool{p.pool}
}

// poolOf returns the pool of the node that was chosen for the call, instead of the
// handle's.
func (s *stmtCall) poolOf(pool *pgxpool.Pool) *pgxpool.Pool {
	if n := s.call.Node; n != nil && s.nodes != nil {
		return s.nodes.pools[n.Index]
	}
	return pool
}

// atNode is, among the custom data of a connection, the node of a cluster that it
// leads to.
const atNode = "sessionproxy: node"

// nodeOf returns the node that a connection leads to, or nil.
func nodeOf(conn *pgx.Conn) *sp.Node {
	n, _ := conn.PgConn().CustomData()[atNode].(*sp.Node)
	return n
}

// parseNode reads the connection string of a node.
func parseNode(dsn string) (*pgxpool.Config, sp.Target, error) {
	name, err := dbname.Check(dsn)
	if err != nil {
		return nil, sp.Target{}, err
	}
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, sp.Target{}, name.Refused("read the connection string", err)
	}
	read := dbname.OfConfig(c.ConnConfig)
	switch {
	case read.Several():
		return nil, sp.Target{}, errors.New("the connection string has several hosts: each is a node of its own")
	case c.ConnConfig.ValidateConnect != nil:
		return nil, sp.Target{}, errors.New("the connection string has target_session_attrs: the cluster finds out what each server is")
	}
	return c, read.Target, nil
}

// Probe returns what asks PostgreSQL servers for their role, their timeline and
// their position in the log. It works with the rights of any role.
func Probe() cluster.Probe { return probe{} }

type probe struct{}

// Target reads a connection string.
func (probe) Target(dsn string) (sp.Target, error) {
	_, target, err := parseNode(dsn)
	return target, err
}

// Connect opens a connection for a monitor.
func (probe) Connect(ctx context.Context, dsn string) (cluster.ProbeConn, error) {
	c, _, err := parseNode(dsn)
	if err != nil {
		return nil, err
	}
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return nil, err
	}
	return probeConn{conn}, nil
}

type probeConn struct{ conn *pgx.Conn }

// state asks for role, timeline and position. The subquery has the role asked for
// once: a server that is being promoted must not contradict itself. The name of a
// file of the log begins with the timeline; the control file names an old one
// until the first checkpoint after a promotion.
const state = `SELECT standby,
	CASE WHEN standby THEN '' ELSE pg_walfile_name(pg_current_wal_lsn()) END,
	coalesce(CASE WHEN standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0', 0)::bigint
	FROM (SELECT pg_is_in_recovery() AS standby OFFSET 0) AS r`

// Ask asks the server what it is.
func (p probeConn) Ask(ctx context.Context) (cluster.Status, error) {
	var (
		standby  bool
		file     string
		position int64
	)
	if err := p.conn.QueryRow(ctx, state).Scan(&standby, &file, &position); err != nil {
		return cluster.Status{}, err
	}
	if standby {
		return cluster.Status{Role: cluster.Replica, Position: uint64(position)}, nil
	}
	const digits = 8
	term, err := strconv.ParseUint(file[:min(digits, len(file))], 16, 32)
	if err != nil {
		return cluster.Status{}, fmt.Errorf("pgxdb: read the timeline of the server: %w", err)
	}
	return cluster.Status{Role: cluster.Primary, Term: term, Position: uint64(position)}, nil
}

// Close closes the connection.
func (p probeConn) Close(ctx context.Context) error { return p.conn.Close(ctx) }
