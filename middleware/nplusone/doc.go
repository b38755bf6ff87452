// Package nplusone reports statements that are repeated in a loop: the query for each
// row of another query, which one query with a join or an IN would replace (the N+1
// problem).
//
//	loops, err := nplusone.New(slog.Default())
//	chain := sessionproxy.NewChain(tracer, logs, retrier, brk, loops)
//	…
//	ctx = nplusone.Scope(ctx) // once for each request or job
//
// Statements with one summary ("SELECT orders") are counted in each scope: a request
// or job for which [Scope] was called, or a unit of work outside of one. Put the
// interceptor inside a retry, so that a replayed unit begins at 0, and inside
// tracing.
//
// A report is made once for a summary in a scope, when its statements come to the
// threshold ([WithThreshold]): a log record at warn level, with the place in your code
// that made the statement; the event "statement.repeated" of the span that the scope
// began in; and an event of the call, which the live page lists.
package nplusone
