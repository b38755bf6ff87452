// Package middleware lists the small interceptors, each of which has its own
// package, and contains the tests of all of them together:
//
//   - [github.com/sessionproxy/sessionproxy/middleware/timeout], a time limit
//   - [github.com/sessionproxy/sessionproxy/middleware/limit], a bound on the calls running at once
//   - [github.com/sessionproxy/sessionproxy/middleware/adaptivelimit], the same bound, found by observing the database
//   - [github.com/sessionproxy/sessionproxy/middleware/ratelimit], a bound on the calls that start per second
//   - [github.com/sessionproxy/sessionproxy/middleware/throttle], fewer calls to a database that refuses some
//   - [github.com/sessionproxy/sessionproxy/middleware/hedge], a second attempt at slow queries
//   - [github.com/sessionproxy/sessionproxy/middleware/readonly], a guard against writing
//   - [github.com/sessionproxy/sessionproxy/middleware/sqlcomment], comments that show the server where a statement comes from
//   - [github.com/sessionproxy/sessionproxy/middleware/slowquery], log records of slow statements, with their plans
//   - [github.com/sessionproxy/sessionproxy/middleware/nplusone], reports of statements repeated in a loop
//   - [github.com/sessionproxy/sessionproxy/middleware/profile], labels that show profiles by statement
//   - [github.com/sessionproxy/sessionproxy/middleware/recovery], errors instead of panics
//   - [github.com/sessionproxy/sessionproxy/middleware/logging], log records
//   - [github.com/sessionproxy/sessionproxy/middleware/statusz], a live page
//
// Put together:
//
//	logs, err := logging.New(slog.Default())
//	panics, err := recovery.New()
//	overall, err := timeout.New(2 * time.Second)
//	limiter, err := limit.New(20)
//	chain := sessionproxy.NewChain(tracer, logs, panics, overall, limiter, retrier, brk)
//
// Each is created by its package's New. Required values are arguments, the rest
// are options; a value out of range is an error that names it. They work in any
// order and at any place of a chain. In the order above, from outside in, the
// log sees every failure, and the timeout covers all attempts of a retry; a
// second timeout inside the breaker limits each attempt.
//
// All are safe for concurrent use, and one may serve several chains.
package middleware
