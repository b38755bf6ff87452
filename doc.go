// Package sessionproxy puts one pipeline of interceptors in front of every
// database operation of a service: OpenTelemetry tracing, retry, circuit
// breaker, timeouts, limits, logging.
//
// A service keeps the database access it has, and opens its database with a
// chain:
//
//	tracer, err := tracing.New()
//	retrier, err := retry.New()
//	brk, err := breaker.New()
//	chain := sessionproxy.NewChain(tracer, retrier, brk)
//	db, err := sqldb.Open("pgx", dsn, chain)   // a *sql.DB
//
// Package driver/sqldb is for database/sql, driver/pgxdb for pgx. Package engine
// is one API over PostgreSQL, MySQL, MariaDB and SQLite, orm a unit-of-work
// session on it, and proxy both for async callers. Package preset makes the
// recommended chain in one call. Package attach is for those who write a driver
// integration of their own.
//
// # Calls and interceptors
//
// Every operation is a [Call]. It passes through a chain of handlers, each made
// by an [Interceptor] around the next; the innermost performs it. The first
// interceptor of [NewChain] is outermost. The chain is composed once, when a
// handle is opened; an empty one is bypassed.
//
// The result of a call may outlive its handler, as rows and transactions do.
// What an interceptor opened for a call ends with the result, in a hook that it
// registers with [Call.OnFinish] and that runs exactly once, whatever happens.
//
// # What an error means
//
// Package fault gives one verdict per error, which retry, breaker, tracing and
// logs read from [Call.Verdict]. Rules that no option overrides: a statement
// inside a transaction is never retried alone; a COMMIT whose answer was lost
// is never retried ([ErrCommitUnknown]); a write that may have reached the
// server is retried only if the caller marked it with [WithIdempotent]; nothing
// is retried past the context's deadline or after the caller cancelled; the
// database's error stays first in whatever is returned.
package sessionproxy
