// Package retry retries what is safe to retry: a statement outside a
// transaction that the server undid or never got, a connection that could not
// be made, a whole unit of work. [sessionproxy.Call.Verdict] says what an error
// means; this package decides whether to act on it, waits and tries again.
//
//	retrier, err := retry.New(retry.WithAttempts(4))
//	chain := sessionproxy.NewChain(tracer, retrier, brk)
//
// Put it inside tracing, logging, the overall timeout and the limits, and
// outside the breaker and the timeout per attempt.
//
// # Rules that no option overrides
//
// A statement inside a transaction is never retried by itself; only the unit of
// work around it is replayed, from BEGIN. A statement that the server undid is
// retried only if its SQL text is known to take effect entirely or not at all
// (a single SELECT, INSERT, UPDATE and so on; docs/retry.md has the list). A
// COMMIT whose answer was lost is not retried, unless its unit of work is
// marked idempotent or a verifier says that it did not happen. A write that may
// have reached the server is retried only if it is marked idempotent. No pause
// ends after the context's deadline, and a caller that gave up is not retried.
// The returned error always unwraps to the database's error first.
//
// Nor is a COPY retried by itself: its source of rows can't be rewound.
//
// # Waiting and stopping
//
// Pauses are drawn from zero to a ceiling that doubles with every attempt
// ([WithBackoff]). A [Budget] per target bounds the retries of all calls
// together, so that they can't multiply the load of a failing database. When
// attempts or time are used up, the caller gets the error as it is after a
// single attempt, and an [*Error] after several; an exhausted budget is always
// reported by an [*Error].
//
// A call that succeeds at once costs a few nanoseconds and no allocation, and writes
// nothing that other cores read while the target's budget is full; else its
// one word of tokens.
package retry
