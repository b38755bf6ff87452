// Package breaker stops calls to a failing database, so that callers get an
// answer at once and the database gets room to recover. It is an interceptor
// around [gobreaker], one circuit per target:
//
//	brk, err := breaker.New()
//	chain := sessionproxy.NewChain(tracer, retrier, brk)
//
// Put it inside a retry, so that every attempt counts, and outside a timeout
// per attempt.
//
// # What counts
//
// Package fault decides for each error whether the server is to blame. A
// violated constraint is a success, since the server did its work; a deadlock
// or a caller that gave up says nothing about the server and is not counted; a
// refused connect is a failure. Connections that break together count as one:
// the connects that follow show whether the server is gone. A caller's deadline
// is a failure only while the server answers nothing at all. A circuit opens
// when, over a rolling window, too large a fraction of the calls failed, when
// many failed in a row, or, optionally, when too many were slow.
//
// # What is refused
//
// An open circuit refuses calls that would need a connection: statements
// outside a transaction, BEGIN, new connections, whole units of work. It never
// refuses a call that already has its connection: anything inside a
// transaction, COMMIT, ROLLBACK, closing. A refusal is an [OpenError], which
// matches [ErrOpen] and [fault.ErrRejected]. In the first two seconds of an
// outage, and whenever the server hangs, calls wait for its return instead, as long
// as [WithMaxWait] and their contexts allow.
//
// # Recovery
//
// After its open time, which is short at first and grows while probes fail, a
// circuit lets one call through as a probe; the others wait for its outcome,
// unless they have a connection already. If the server answers, even with an
// error, two calls follow at a time, then four, and the circuit closes; if one
// fails, it opens again. A probe that does not end within its lease loses its
// place, so that no hanging call can keep a circuit half-open.
//
// # Cost
//
// A closed circuit counts in striped atomic counters and takes no lock;
// gobreaker is consulted only from when a circuit is about to open until it is
// closed again. A call costs one reading of the clock, two with
// [WithSlowCalls], and no allocation.
// What a successful call writes that calls on other cores write too is one counter
// of at most eight, drawn at random, and after failures two words that it sets back.
//
// Without [WithProbe] the package starts no goroutine, except for a timer while
// calls wait. Counts and states are local to the process.
//
// [gobreaker]: https://github.com/sony/gobreaker
package breaker
