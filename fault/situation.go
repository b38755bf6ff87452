package fault

// Situation says what was going on when an error came back: the same error
// means different things to a statement and to a COMMIT. The zero value is the
// cautious assumption: a statement outside a transaction that may have been
// sent and must not run twice.
type Situation struct {
	// Phase is the step of the work that failed.
	Phase Phase
	// Progress says how far the call got.
	Progress Progress
	// Idempotent says that the caller declared that running the call twice is
	// harmless, or that it only reads.
	Idempotent bool
	// InTx says that the call ran inside an open transaction.
	InTx bool
	// Cause is [context.Cause] of the call's context if that had ended when
	// the error was judged; nil if the context was alive. A cause that matches
	// [ErrAttemptTimeout] distinguishes an attempt's own time limit from the
	// caller's.
	Cause error
}

// Phase is the step of the work that failed. The zero value is
// [PhaseStatement].
type Phase uint8

const (
	// PhaseStatement is a statement, or a batch or COPY, up to its first row.
	PhaseStatement Phase = iota
	// PhaseConnect is the making of a connection, up to a successful login.
	PhaseConnect
	// PhaseAcquire is the wait for a connection of a pool.
	PhaseAcquire
	// PhaseBegin is the BEGIN of a transaction.
	PhaseBegin
	// PhasePrepare is the preparation of a statement.
	PhasePrepare
	// PhaseRows is the reading of rows after the first one reached the caller.
	PhaseRows
	// PhaseCommit is the COMMIT of a transaction.
	PhaseCommit
	// PhaseRollback is the ROLLBACK of a transaction.
	PhaseRollback
	// PhaseUnit is a whole unit of work, from BEGIN to COMMIT: the error came
	// from its function, from BEGIN, or from a COMMIT whose doubtful outcomes
	// are marked by [CommitError]. InTx is implied.
	PhaseUnit
)

var phaseNames = [...]string{
	PhaseStatement: "statement",
	PhaseConnect:   "connect",
	PhaseAcquire:   "acquire",
	PhaseBegin:     "begin",
	PhasePrepare:   "prepare",
	PhaseRows:      "rows",
	PhaseCommit:    "commit",
	PhaseRollback:  "rollback",
	PhaseUnit:      "unit",
}

// String returns the phase's name in lower case.
func (p Phase) String() string { return nameOf(phaseNames[:], int(p)) }

// Progress says how far a call got on its way to the server. The zero value
// is [ProgressUnknown].
type Progress uint8

const (
	// ProgressUnknown means that the call may have been sent.
	ProgressUnknown Progress = iota
	// ProgressUnsent means that nothing was sent, with certainty: for example,
	// the connection was dead before the call. A driver's own claim is not
	// enough (pgx 5.9 and later make it wrongly).
	ProgressUnsent
	// ProgressSent means that the call was sent, at least its beginning. An error that
	// says otherwise (a dial that failed) is about something else, such as what the
	// call read its data from.
	ProgressSent
	// ProgressAnswered means that the server's answer came, at least its
	// beginning.
	ProgressAnswered
)

var progressNames = [...]string{
	ProgressUnknown:  "unknown",
	ProgressUnsent:   "unsent",
	ProgressSent:     "sent",
	ProgressAnswered: "answered",
}

// String returns the progress's name in lower case.
func (p Progress) String() string { return nameOf(progressNames[:], int(p)) }
