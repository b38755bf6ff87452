// Package cluster puts several servers behind one handle: a primary with its
// replicas. It finds the primary, also after a failover; it sends writes there,
// and to replicas what is certain to only read; and it chooses a server anew for
// each attempt, so that a retry goes to where the database is now.
//
//	cl, err := cluster.New(pgxdb.Probe(), []cluster.NodeConfig{
//		{Name: "a", DSN: "postgres://app@pg-a/shop"},
//		{Name: "b", DSN: "postgres://app@pg-b/shop"},
//	})
//	defer cl.Close()
//	pool, err := pgxdb.NewCluster(ctx, cl, chain) // a *pgxdb.Pool
//
// The chain is the usual one. Its links up to the first that keeps its state per
// server, a breaker, see a call with all its attempts; that one and those further
// in see each attempt, with its server as the call's target.
//
// A monitor for each server (one goroutine, one connection beside the chain) asks
// what it is. What it finds is a view, which calls read without a lock. Calls find
// faults sooner than monitors do: after a connection is lost, calls wait for the
// monitor's next answer instead of going there again.
//
// While there is no primary, calls that need one wait, as long as their contexts
// and [WithFailoverTimeout] allow, and hold no permit of a limit meanwhile. Two
// servers that both say they are the primary are a split brain: the one with the
// higher timeline wins; if that can't be decided, or if the one with the highest
// timeline seen is away, there is none.
//
// The package does not promote servers, and it can't know what another client
// sees: whoever promotes a server must keep the old primary from taking writes.
package cluster
