package sessionproxy

import "time"

// EventKind says what an [Event] reports. Its value is the event's name on a
// span and in a log.
type EventKind string

// The events of the shipped interceptors.
const (
	// EventRetry reports a failed attempt that will be followed by another:
	// Attempt is the number of the failed one, Delay the pause before the next,
	// Err the failure.
	EventRetry EventKind = "retry"
	// EventRetryExhausted reports a failure that could have been retried, but
	// attempts, time or budget are exhausted; Detail says which.
	EventRetryExhausted EventKind = "retry.exhausted"
	// EventBreaker reports a change of a breaker's state during the call;
	// Detail is the new state.
	EventBreaker EventKind = "breaker.state"
	// EventRejected reports that the call was refused; Err is the reason.
	EventRejected EventKind = "rejected"
	// EventQueued reports a wait in a queue of this library; Delay is how long
	// it took, Detail which queue.
	EventQueued EventKind = "queued"
	// EventStatementFailed reports the failure of one statement of a batch;
	// Attempt is its number in the batch, from 1.
	EventStatementFailed EventKind = "statement.failed"
	// EventPipelined reports that the statement was sent with others in one
	// round trip; Attempt is their number.
	EventPipelined EventKind = "pipelined"
	// EventTimeout reports that a time limit of this library ended the call;
	// Delay is the limit.
	EventTimeout EventKind = "timeout"
	// EventNode reports that an attempt goes to another server than the one before
	// it; Detail is the node's name.
	EventNode EventKind = "node"
	// EventNoNode reports a wait for a server that the call can go to, as in a
	// failover; Delay is how long it took, Detail the role.
	EventNoNode EventKind = "node.wait"
	// EventPanic reports a recovered panic; Detail is the type of its value,
	// never the message.
	EventPanic EventKind = "panic"
)

// Event is something that happened to a call on its way. Interceptors report
// events with [Call.Event]; listeners registered with [Call.OnEvent] receive
// them. This is how a trace shows retries although tracing knows nothing about
// retry.
type Event struct {
	// Kind says what happened.
	Kind EventKind
	// Attempt is a number from 1, where the kind has one.
	Attempt int
	// Delay is a duration, where the kind has one.
	Delay time.Duration
	// Err is the error concerned, or nil.
	Err error
	// Detail is a word of low cardinality, where the kind has one.
	Detail string
}
