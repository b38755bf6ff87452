package fault

// Verdict is what an error means in its [Situation]. It is a small comparable
// value.
type Verdict struct {
	// Class is the kind of fault.
	Class Class
	// Retry says what may be repeated.
	Retry Retry
	// Outcome says what became of the work.
	Outcome Outcome
	// Tx says what became of the transaction that the call ran in.
	Tx TxState
	// Breaker says how a circuit breaker counts the call.
	Breaker Breaker
	// DiscardConn says that the connection must not be used again.
	DiscardConn bool
	// Answered says that the server answered and is fit to work, whatever it
	// said: proof of life for a half-open breaker. It is never set together
	// with [BreakerFailure].
	Answered bool
	// Slow says that a longer back-off than usual is wanted: the server or the
	// pool is overloaded.
	Slow bool
	// Contention says that a short back-off will do: a concurrent transaction
	// was in the way.
	Contention bool
}

// Definite reports that the error is the database's own answer to the statement,
// and not its way of saying that the statement was interrupted.
func (v Verdict) Definite() bool { return v.Answered && v.Class != ClassAttemptTimeout }

// Retry says what may be repeated after an error. The zero value is
// [RetryNone].
type Retry uint8

const (
	// RetryNone means that nothing may be repeated, or that it would be of no
	// use.
	RetryNone Retry = iota
	// RetryStatement means that the statement alone may be repeated, on the
	// same connection too: it ran outside a transaction and was undone. That
	// holds for a statement that takes effect as a whole or not at all. Of
	// several in one text, of a procedure that commits, of what builds an index
	// in steps, or writes into tables without transactions, a part may stand:
	// whoever acts on this value has to know the text.
	RetryStatement
	// RetryTransaction means that the whole unit of work may be repeated from
	// its BEGIN, after a rollback; never one of its statements.
	RetryTransaction
	// RetryReconnect means that the call may be repeated, on another
	// connection: nothing ran, or repeating it is harmless.
	RetryReconnect
)

var retryNames = [...]string{
	RetryNone:        "none",
	RetryStatement:   "statement",
	RetryTransaction: "transaction",
	RetryReconnect:   "reconnect",
}

// String returns the name in lower case.
func (r Retry) String() string { return nameOf(retryNames[:], int(r)) }

// Outcome says what became of the work. The zero value is [OutcomeUnknown].
type Outcome uint8

const (
	// OutcomeUnknown means that the work may or may not have taken effect.
	OutcomeUnknown Outcome = iota
	// OutcomeNotSent means that nothing that could take effect was sent.
	OutcomeNotSent
	// OutcomeRolledBack means that the work is undone for certain: the
	// statement outside a transaction, or the whole transaction once it ends.
	OutcomeRolledBack
	// OutcomeAnswered means that the server answered with an error that
	// leaves no doubt about the statement, which failed; a transaction around
	// it may be open still.
	OutcomeAnswered
	// OutcomeDone means that the work was done: there was no error, or one that
	// is about the rows alone (none came, or a value did not fit).
	OutcomeDone
)

var outcomeNames = [...]string{
	OutcomeUnknown:    "unknown",
	OutcomeNotSent:    "not_sent",
	OutcomeRolledBack: "rolled_back",
	OutcomeAnswered:   "answered",
	OutcomeDone:       "done",
}

// String returns the outcome's name in lower case, words joined by
// underscores.
func (o Outcome) String() string { return nameOf(outcomeNames[:], int(o)) }

// TxState says what an error has left of the transaction around a call. It is a
// verdict of its own: some errors forbid a replay and leave nothing to go on
// with, others refuse one statement and want a replay on another server, while
// the transaction is as it was. The zero value is [TxNone].
//
// Only [TxOpen] allows the next statement to be sent into the transaction.
type TxState uint8

const (
	// TxNone means that the call ran outside a transaction, as far as its
	// [Situation] says, or ended its transaction without an error.
	TxNone TxState = iota
	// TxUnknown means that the transaction may be open or rolled back: the
	// answer is missing, or the server decides by its settings or by the
	// statement. Where it was rolled back, MySQL and SQLite commit each
	// statement that follows by itself.
	TxUnknown
	// TxOpen means that the statement alone failed: what came before it in the
	// transaction stands, and may be committed.
	TxOpen
	// TxFailed means that the server refuses everything but a rollback, of the
	// transaction or to a savepoint, as PostgreSQL does after any error.
	TxFailed
	// TxUndone means that the transaction is rolled back: by the server's
	// answer, or because its connection is gone.
	TxUndone
)

var txStateNames = [...]string{
	TxNone:    "none",
	TxUnknown: "unknown",
	TxOpen:    "open",
	TxFailed:  "failed",
	TxUndone:  "undone",
}

// String returns the state's name in lower case.
func (t TxState) String() string { return nameOf(txStateNames[:], int(t)) }

// Breaker says how a circuit breaker counts a call. The zero value is
// [BreakerExclude].
type Breaker uint8

const (
	// BreakerExclude means that the call says nothing about the server's
	// health: the caller gave up, or transactions stood in each other's way.
	BreakerExclude Breaker = iota
	// BreakerSuccess means that the server did its work, though its answer
	// may be an error.
	BreakerSuccess
	// BreakerFailure means that the server, or the way to it, failed.
	BreakerFailure
)

var breakerNames = [...]string{
	BreakerExclude: "exclude",
	BreakerSuccess: "success",
	BreakerFailure: "failure",
}

// String returns the name in lower case.
func (b Breaker) String() string { return nameOf(breakerNames[:], int(b)) }
