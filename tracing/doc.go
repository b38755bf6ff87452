// Package tracing makes OpenTelemetry spans and metrics from the calls of a
// chain, following the stable semantic conventions for databases
// (https://opentelemetry.io/docs/specs/semconv/db/).
//
//	tracer, err := tracing.New(tracing.WithMeterProvider(otel.GetMeterProvider()))
//	if err != nil {
//		return err
//	}
//	chain := sessionproxy.NewChain(tracer, retrier, brk)
//
// # Place in the chain
//
// Outermost. A span then covers everything the caller waits for: queues,
// attempts and the pauses between them. Whatever interceptors further in report
// ([github.com/sessionproxy/sessionproxy.Call.Event]: a retry, a breaker that
// opens, a timeout) becomes an event of the span. A second one placed inside
// the retry makes a child span of every attempt; give the meter provider to the
// outer one only, otherwise every operation is counted twice.
//
// # What is a span
//
// One CLIENT span for each call that goes to the database, and one INTERNAL
// span for each method of a session that may do so and for each unit of work.
// A query's span ends when its rows are closed. The span of a BEGIN ends when
// the transaction has begun; [WithTransactionSpans] makes one that lasts until
// the transaction ends. Steps of a call, such as the statement that a
// database/sql driver sees below a handle, make no spans, except for opening a
// connection.
//
// # What nobody closes
//
// [WithLeakDetection] reports rows and transactions that have been open for too
// long, with the stack of the code that opened them.
//
// # Privacy
//
// Arguments are not recorded unless [WithQueryParameters] names them. The text
// of a statement without parameters is recorded with its literals replaced.
// Error messages are not recorded unless [WithErrorMessages] asks for it:
// drivers put row values into them.
//
// # Cost
//
// Whatever depends on the SQL text (name, attributes, sanitised text) is
// computed once per text and cached, bounded in number and bytes. A call whose
// span is not sampled allocates nothing here. docs/tracing.md has the full
// table of what is recorded when, and the figures.
package tracing
