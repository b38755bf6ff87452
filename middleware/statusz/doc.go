// Package statusz shows what a running service's pipeline is doing, as a page
// in a browser: the calls in flight with their age and stage, what failed or
// was slow of late, breakers, retry budgets, limits, pools, and the latency of
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
// may be left out, tells it when a call goes to the driver. Nobody sees
// anything until the page is mounted.
//
// # What is shown, and what never is
//
// Statements are shown by their summary, "SELECT users", and by their text with
// every literal replaced; errors by code and class, never by their text.
// Arguments, passwords, users and connection strings are not shown. Names of
// tables, hosts and databases are, so mount the page where only those can reach
// it who run the service.
//
// The page is plain HTML with a style of its own and nothing from elsewhere. It
// refreshes itself where scripts run and is complete where they do not. With
// ?format=json, or for a client that accepts JSON, it is a JSON document;
// docs/statusz.md lists its keys.
//
// # What is kept
//
// Everything is bounded: 5 minutes of traffic in steps of 5 seconds; latencies
// of 400 kinds of calls, over the last 5 to 10 minutes; 50 failures and 50 slow
// calls, those that are alike as one; 30 changes of breakers. Nothing outlives
// the process.
//
// # Cost
//
// A call takes two short locks of one of many stripes, two readings of the
// clock and a few atomic additions, and allocates nothing once the page has
// seen its statement. Rendering is on the goroutine of the request. The package
// starts none.
package statusz
