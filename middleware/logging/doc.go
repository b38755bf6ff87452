// Package logging writes a log/slog record of each call:
//
//	logs, err := logging.New(slog.Default())
//	chain := sessionproxy.NewChain(tracer, logs, retrier, brk)
//
// # What is logged
//
// Records have the following attributes, as far as they are known. Names under
// "db.", "server.", "error." and "exception." are those of OpenTelemetry's
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
//	exception.stacktrace         of a panic that middleware/recovery turned into an error
//	sessionproxy.operation       the caller's name for it, from WithCallName
//	sessionproxy.attempts        from 2
//	sessionproxy.rows_affected   of statements that change rows
//	sessionproxy.fault.class     what the error means, as "serialization"
//	sessionproxy.suppressed      records of this kind that were left out
//	trace_id, span_id
//
// Records of events have event.name (retry, breaker.state, …), and
// sessionproxy.attempt, sessionproxy.delay in seconds and sessionproxy.detail
// if the event has them. Arguments are never logged.
package logging
