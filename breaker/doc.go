// Package breaker stops calls to a database that fails, so that callers get an
// answer at once and the database gets room to recover. It is an interceptor
// around [gobreaker], one circuit per target:
//
//	brk, err := breaker.New()
//	chain := sessionproxy.NewChain(tracer, retrier, brk)
//
// Its place in a chain is inside a retry, so that every attempt counts, and
// outside a timeout per attempt.
//
// # What counts
//
// Package fault says of each error whether the server is to blame. A violated
// constraint is a success, since the server did its work; a deadlock or a
// caller that gave up says nothing of the server and is left out; a refused
// connect is a failure. Connections that break at one moment count as one: the
// connects that follow tell whether the server is gone. A caller's deadline is a
// failure while the server answers nothing at all. A circuit opens when,
// over a rolling window, too large a part of the calls failed, when many in a
// row did, or, if asked to, when too many were slow.
//
// # What is refused
//
// An open circuit refuses what would need a connection: statements outside a
// transaction, BEGIN, new connections, whole units of work. It never refuses
// what has its connection already: nothing inside a transaction, no COMMIT, no
// ROLLBACK, no closing. A refusal is an [OpenError], which matches [ErrOpen]
// and [fault.ErrRejected]. In the first two seconds of an outage calls wait for
// the server's return instead, as long as [WithMaxWait] and their contexts allow,
// unless the server hangs.
//
// # Recovery
//
// After its open time, which is short at first and grows while probes fail, a
// circuit lets one call through as a probe; the others wait for its outcome,
// unless they have a connection already. If the server answers, whatever it
// answers, two calls follow at a time, then four, and the circuit closes; if one
// fails, it opens again. A probe that does not end within its lease gives its
// place to another, so that no hanging call can keep a circuit half-open.
//
// # Cost
//
// A closed circuit counts in striped atomic counters and takes no lock;
// gobreaker is asked only when a circuit is to open and until it is closed
// again. A call costs one reading of the clock, two with [WithSlowCalls], and
// no allocation.
//
// The package starts no goroutine without [WithProbe], but for a timer while calls
// wait. Counts and states are
// those of this process; they are not shared with others.
//
// [gobreaker]: https://github.com/sony/gobreaker
package breaker
