// Package sessionproxy puts one pipeline of interceptors in front of every
// database operation of a service: OpenTelemetry tracing, retry, circuit
// breaker, timeouts, limits, logging.
//
// A service keeps the database access it has and opens its database through an
// attachment:
//
//	tracer, err := tracing.New()
//	retrier, err := retry.New()
//	brk, err := breaker.New()
//	chain := sessionproxy.NewChain(tracer, retrier, brk)
//	db, err := sqldb.Open("pgx", dsn, chain)   // a *sql.DB
//
// # Calls, handlers, interceptors
//
// Every operation is a [Call]. It passes through a chain of handlers, each made
// by an [Interceptor] around the next; the innermost performs it. The chain is
// composed once, when a handle is opened, and costs one indirect call per
// interceptor: calls are pooled, and the pipeline itself allocates nothing. An
// empty chain is bypassed altogether.
//
// The first interceptor of [NewChain] is outermost. Recommended, from the
// outside: tracing, logging, an overall timeout, limits, retry, breaker, a
// timeout per attempt.
//
// # Lifetimes
//
// The result of a call may outlive its handler: rows are read after the query
// returned, a transaction lives until it is committed. What an interceptor
// opened for a call ends with the result, in a hook that it registers with
// [Call.OnFinish] and that runs exactly once, whatever happens.
//
// An attempt is a frame of its call, opened by [Call.Try]: hooks registered
// inside an attempt that fails run with that attempt's error before the next
// attempt starts.
//
// # What a caller declares
//
// [WithIdempotent], [WithReadOnly], [WithNoRetry], [WithCallName] and
// [WithVerifyCommit] mark the calls made with a context.
//
// # What an error means
//
// Package fault gives one verdict per error, which retry, breaker, tracing and
// logs read from [Call.Verdict]. Rules that no option overrides: a statement
// inside a transaction is never repeated alone; a COMMIT whose answer was lost
// is never repeated ([ErrCommitUnknown]); a write that may have reached the
// server is repeated only if the caller marked it idempotent; nothing is
// repeated past the context's deadline or after the caller cancelled; the
// database's error stays first in whatever is returned.
//
// # Ways in
//
// Package driver/sqldb puts the pipeline in front of database/sql, and
// driver/pgxdb in front of pgx. Package engine is one API over PostgreSQL, MySQL,
// MariaDB and SQLite, orm a unit-of-work session on it, and proxy both for async
// callers. Package preset makes the recommended chain in one call. Package attach
// is for those who write a driver integration of their own.
package sessionproxy
