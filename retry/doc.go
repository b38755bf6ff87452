// Package retry repeats what may be repeated: a statement outside a
// transaction that the server undid or never got, a connection that could not
// be made, a whole unit of work. What an error means is read from
// [sessionproxy.Call.Verdict]; this package decides whether to act on it, waits
// and tries again.
//
//	r, err := retry.New(retry.WithAttempts(4))
//	chain := sessionproxy.NewChain(tracer, r, brk)
//
// Put it inside tracing, logging, the overall timeout and the limits, and
// outside the breaker and the timeout per attempt.
//
// # Rules that no option overrides
//
// A statement inside a transaction is never repeated alone; only the unit of
// work around it is replayed, from BEGIN. A statement that the server undid is
// repeated only if its text is known to take effect as a whole or not at all
// (one SELECT, INSERT, UPDATE and the like; docs/retry.md has the list). A COMMIT whose answer was lost is
// not repeated, unless its unit is marked idempotent or a verifier says that
// it did not happen. A write that may have reached the server is repeated only
// if it is marked idempotent. No wait ends after the context's deadline, and a
// caller that gave up is not retried. The database's error stays first in
// whatever is returned.
//
// A COPY is never repeated by itself either: its source of rows can't be
// rewound.
//
// # Waiting and stopping
//
// Waits are drawn from zero to a ceiling that doubles with every attempt
// ([WithBackoff]). A [Budget] per target bounds the repetitions of all calls
// together, so that retries can't multiply the load of a database that is
// failing. When attempts or time are used up, the caller gets the last error as
// it is if there was one attempt, and else an [*Error]; a budget that is used up
// is always told by one.
//
// A call that succeeds at once costs a few nanoseconds and no allocation.
package retry
