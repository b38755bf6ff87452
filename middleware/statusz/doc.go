// Package statusz shows what a running service's pipeline is doing, as a page
// in a browser: the calls in flight with their age and stage, what failed or
// was slow recently, breakers, retry budgets, limits, pools, and the latency of
// each kind of statement.
//
//	page, err := statusz.New(
//		statusz.WithTitle("orders"),
//		statusz.WithPool("orders", pool.PoolStats))
//	chain := sessionproxy.NewChain(page, tracer, retrier, brk, page.Innermost())
//	mux.Handle("/debug/orders", page)
//
// The page is the outermost interceptor of a chain, so that it sees calls as
// their callers do and hears the events of all others. [Page.Innermost], which
// is optional, shows it when a call goes to the driver. Nothing is served until
// you mount the page.
//
// # What is shown, and what never is
//
// Statements are shown by their summary, "SELECT users", and by their text with
// every literal replaced; errors by code and class, never by their message.
// Arguments, passwords, users and connection strings are not shown. Names of
// tables, hosts and databases are, so mount the page where only those who run
// the service can reach it.
//
// The page is plain HTML with its own style and no external resources. It
// refreshes itself if scripts run, and is complete without them. With
// ?format=json, or for a client that accepts JSON, it is a JSON document;
// docs/statusz.md lists its keys.
//
// # What is kept
//
// Everything is bounded: 5 minutes of traffic in steps of 5 seconds; latencies
// of 400 kinds of calls, over the last 5 to 10 minutes; 50 failures and 50 slow
// calls, with similar ones merged; 30 breaker changes. Nothing outlives the
// process.
//
// # Cost
//
// A call takes two short locks of one of many stripes, two readings of the
// clock and a few atomic additions, and allocates nothing once the page has
// seen its statement. Rendering runs on the goroutine of the request. The
// package starts none.
package statusz
