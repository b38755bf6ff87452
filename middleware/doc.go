// Package middleware has the small interceptors that need no library of their
// own:
//
//   - [Timeout], a time limit
//   - [Limit], a bound on the calls at work
//   - [RateLimit], a bound on the calls that start per second
//   - [Hedge], a second attempt at queries that take long
//   - [ReadOnly], a guard against writing
//   - [Comment], comments that tell the server where a statement comes from
//   - [SlowQuery], log records of statements that take long, with their plans
//   - [Recover], errors instead of panics
//   - [Logging], log records
//
// Put together:
//
//	logs, err := middleware.Logging(slog.Default())
//	panics, err := middleware.Recover()
//	time, err := middleware.Timeout(2 * time.Second)
//	limit, err := middleware.Limit(20)
//	chain := sessionproxy.NewChain(tracer, logs, panics, time, limit, retrier, brk)
//
// Each is made by the constructor of its name. What it needs is an argument,
// the rest are options; a value out of its range is an error that names it.
// They work in any order and at any place of a chain. In the order above, from
// outside in, the log sees every failure, and the time limit covers all
// attempts of a retry; a second Timeout after the breaker limits each attempt.
//
// All are safe for concurrent use, and one may serve several chains.
//
// # What is logged
//
// Records have the attributes that follow, as far as they are known. Names
// under "db.", "server.", "error." and "exception." are those of OpenTelemetry's
// semantic conventions.
//
//	db.system.name, db.namespace, server.address, server.port (unless default)
//	db.query.summary             as "SELECT users"
//	db.query.text                as written if it has parameters and arguments, else without literals
//	db.operation.name            of operations without a text, as "COMMIT"
//	db.operation.batch.size      from 2
//	db.client.operation.duration in seconds, as the metric of this name
//	db.response.returned_rows    of queries
//	db.response.status_code      the database's own code of an error
//	error.type                   that code, else the class of fault, else a Go type
//	exception.message            only WithErrorMessages
//	exception.stacktrace         of a panic that Recover made an error of
//	sessionproxy.operation       the caller's name for it, from WithOperation
//	sessionproxy.attempts        from 2
//	sessionproxy.rows_affected   of statements that change rows
//	sessionproxy.fault.class     what the error means, as "serialization"
//	sessionproxy.plan            of SlowQuery, if it is asked for
//	sessionproxy.suppressed      records of this kind that were left out
//	trace_id, span_id
//
// Records of events have event.name (retry, breaker.state, …), and
// sessionproxy.attempt, sessionproxy.delay in seconds and sessionproxy.detail
// where the event tells them. Arguments are never logged.
//
// # What is measured
//
// With [WithMeterProvider], of each interceptor that has it as an option:
//
//	sessionproxy.limit.queue          calls that wait for a permit
//	sessionproxy.limit.rejected       calls refused, by sessionproxy.limit.reason
//	sessionproxy.rate_limit.queue     calls that wait for their turn
//	sessionproxy.rate_limit.rejected  calls refused, by sessionproxy.rate_limit.reason
//	sessionproxy.hedge.attempts       second attempts, by sessionproxy.hedge.outcome
//	sessionproxy.hedge.skipped        those not made, by sessionproxy.hedge.reason
//
// The attributes sessionproxy.limit.name, sessionproxy.rate_limit.name and
// sessionproxy.hedge.name are the name from [WithName].
package middleware
