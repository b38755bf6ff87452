package fault

// Verdict is what an error means in its [Situation]. It is a small comparable
// value.
type Verdict struct {
	// Class is the kind of fault.
	Class Class
	// Retry says what may be retried.
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
	// Slow asks for a longer back-off than usual: the server or the pool is
	// overloaded.
	Slow bool
	// Contention says that a short back-off is enough: a concurrent transaction
	// was in the way.
	Contention bool
	// Moot says that the call failed at what had happened already: a ROLLBACK whose
	// connection was gone before, as after a time limit, and the transaction with
	// it. It is no failure: what closed the connection has been reported as one.
	Moot bool
}

// Definite reports whether the error is the database's own answer to the
// statement, rather than a report that the statement was interrupted.
func (v Verdict) Definite() bool { return v.Answered && v.Class != ClassAttemptTimeout }

// Retry says what may be retried after an error. The zero value is [RetryNone].
type Retry uint8

const (
	// RetryNone means that nothing may be retried, or that a retry would be
	// useless.
	RetryNone Retry = iota
	// RetryStatement means that the statement alone may be retried, also on the
	// same connection: it ran outside a transaction and was undone. This holds
	// for a statement that takes effect entirely or not at all. Several
	// statements in one text, a procedure that commits, an index built in
	// steps, or a write to non-transactional tables may leave part of their
	// work behind: code that acts on this value must know the SQL text.
	RetryStatement
	// RetryTransaction means that the whole unit of work may be replayed from
	// its BEGIN, after a rollback; never one of its statements.
	RetryTransaction
	// RetryReconnect means that the call may be retried on another connection:
	// nothing ran, or running it twice is harmless.
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
	// OutcomeRolledBack means that the work is certainly undone: the statement
	// outside a transaction, or the whole transaction once it ends.
	OutcomeRolledBack
	// OutcomeAnswered means that the server answered with an error and the
	// statement definitely failed; a transaction around it may still be open.
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

// TxState says what an error has left of the transaction around a call. It is
// independent of the other fields: some errors forbid a replay and leave no
// usable transaction; others refuse one statement and call for a replay on
// another server, while the transaction is unchanged. The zero value is
// [TxNone].
//
// Only after [TxOpen] may the next statement be sent in the transaction.
type TxState uint8

const (
	// TxNone means that the call ran outside a transaction, as far as its
	// [Situation] says, or ended its transaction without an error.
	TxNone TxState = iota
	// TxUnknown means that the transaction may be open or rolled back: the
	// answer is missing, or the server decides by its settings or by the
	// statement. If it was rolled back, MySQL and SQLite commit each following
	// statement on its own.
	TxUnknown
	// TxOpen means that only the statement failed: the earlier work of the
	// transaction is intact and may be committed.
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
	// health: the caller gave up, or transactions were in each other's way.
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
