package fault

// rule is one line of the tables: what an error means wherever it comes from.
// Together with a Situation it makes a Verdict.
type rule struct {
	class   Class
	action  action
	breaker Breaker
	traits  trait
}

// action says what may be done about an error, before the situation is looked
// at. docs/faults.md calls its values NO, ST, TX, IDEM, CONN and AMB.
type action uint8

const (
	// stop: repeating is of no use, or not allowed.
	stop action = iota
	// again: the statement is undone for certain and the connection is sound.
	again
	// replay: the transaction is, or has to be, undone; outside one, the
	// statement is undone for certain.
	replay
	// ifHarmless: it is not known whether the work took effect.
	ifHarmless
	// reconnect: nothing ran; another connection may do better.
	reconnect
	// ambiguous: the server itself does not know whether the work took effect.
	ambiguous
)

// trait is a set of properties of a rule.
type trait uint16

const (
	// discard: the connection is dead, or not fit for its purpose any more.
	discard trait = 1 << iota
	// slow: a longer back-off is wanted.
	slow
	// contention: a short back-off will do.
	contention
	// answer: the error is the database's own word.
	answer
	// notCommitted: as the answer to a COMMIT it says that nothing was committed.
	notCommitted
	// undone: the statement, and a whole transaction around it, is undone.
	undone
	// certain: the word holds although the server ended the session with it, since
	// it says it when nothing runs.
	certain
	// unsent: nothing reached the server.
	unsent
	// done: the statement did its work; it is the rows that disappoint.
	done
	// login: a failure of the server only if it refuses a connection; told of
	// a statement, the mistake is the statement's.
	login
	// interrupt: an ended context looks like this too.
	interrupt
	// fails: the transaction is left in a state in which the server refuses
	// all but a rollback.
	fails
	// mayUndo: the transaction may have ended, by the server's settings, by the
	// statement, or before the call.
	mayUndo
	// kept: the connection is not fit for its purpose, and yet alive with its
	// transaction.
	kept
	// waited: a lock was waited for as long as a limit allowed that nobody need
	// have asked for. A statement alone held nothing that stood in the way, and
	// would wait again; a transaction that is undone lets the other go on.
	waited
)

// has reports whether the rule has all traits in t.
func (r rule) has(t trait) bool { return r.traits&t == t }

// with returns the rule with the traits in t added.
func (r rule) with(t trait) rule {
	r.traits |= t
	return r
}

// without returns the rule with the traits in t removed.
func (r rule) without(t trait) rule {
	r.traits &^= t
	return r
}

// verdict applies the rule to a situation.
func (r rule) verdict(s Situation) Verdict {
	if s.Progress == ProgressSent {
		r = r.sent()
	}
	if r.has(login) && !r.nothingSent(s) && !effectless(s.Phase) {
		r.breaker = BreakerSuccess
	}
	outcome := r.outcome(s)
	return Verdict{
		Class:       r.class,
		Retry:       r.retry(s),
		Outcome:     outcome,
		Tx:          r.tx(s, outcome),
		Breaker:     r.breaker,
		DiscardConn: r.has(discard) || unfinished(s.Phase, outcome),
		Answered:    r.has(answer) && r.breaker != BreakerFailure,
		Slow:        r.has(slow),
		Contention:  r.has(contention),
	}
}

// sent returns the rule for a call that was certainly sent: what says that nothing
// was is said of something else.
func (r rule) sent() rule {
	if r.action == reconnect {
		r.action = ifHarmless
	}
	return r.without(unsent | certain)
}

// unfinished reports whether a transaction may still be open on the
// connection: its end was sent, and failed or got no answer.
func unfinished(p Phase, o Outcome) bool {
	return p == PhaseRollback && o != OutcomeNotSent || p == PhaseCommit && o == OutcomeUnknown
}

// retry says what may be repeated.
func (r rule) retry(s Situation) Retry {
	switch {
	case r.action == stop, r.class == ClassUnknown, s.Phase == PhaseRows, s.Phase == PhaseRollback:
		return RetryNone
	case s.Phase == PhaseCommit:
		return r.retryCommit(s)
	case s.InTx || s.Phase == PhaseUnit:
		if r.action == ambiguous {
			return RetryNone
		}
		return RetryTransaction
	}
	return r.retryAlone(s)
}

// retryCommit is retry for a COMMIT, which is replayed only if it is certain
// that nothing was committed.
func (r rule) retryCommit(s Situation) Retry {
	if r.nothingSent(s) || r.has(notCommitted) {
		return RetryTransaction
	}
	return RetryNone
}

// retryAlone is retry outside a transaction.
func (r rule) retryAlone(s Situation) Retry {
	switch r.action {
	case again, replay:
		if r.has(waited) {
			return RetryNone
		}
		if !r.has(discard) {
			return RetryStatement
		}
		return RetryReconnect
	case reconnect:
		return RetryReconnect
	case ifHarmless:
		if s.Idempotent || r.nothingSent(s) || effectless(s.Phase) {
			return RetryReconnect
		}
	case ambiguous:
		if effectless(s.Phase) {
			return RetryReconnect
		}
	}
	return RetryNone
}

// outcome says what became of the work.
func (r rule) outcome(s Situation) Outcome {
	switch {
	case r.nothingSent(s):
		return OutcomeNotSent
	case s.Phase == PhaseCommit:
		if r.has(notCommitted) {
			return OutcomeRolledBack
		}
		return OutcomeUnknown
	case s.Phase == PhaseUnit, s.Phase == PhaseRollback:
		// A doubtful COMMIT inside a unit is marked, and judged as a COMMIT.
		return OutcomeRolledBack
	case r.has(done):
		return OutcomeDone
	case s.InTx:
		return r.outcomeInTx()
	}
	return r.outcomeAlone(s)
}

// outcomeInTx is outcome before the transaction's COMMIT was sent.
func (r rule) outcomeInTx() Outcome {
	switch {
	case r.action == ambiguous:
		return OutcomeUnknown
	case r.has(undone), r.broken():
		return OutcomeRolledBack // by the server, when it misses the connection at the latest
	case r.has(answer):
		return OutcomeAnswered
	}
	return OutcomeUnknown
}

// outcomeAlone is outcome outside a transaction.
func (r rule) outcomeAlone(s Situation) Outcome {
	switch {
	case effectless(s.Phase) && !r.has(answer):
		return OutcomeNotSent
	case r.action == reconnect && (r.has(certain) || !r.has(answer)):
		return OutcomeNotSent
	case r.action == again, r.action == replay, r.action == reconnect, r.has(answer | undone):
		return OutcomeRolledBack
	case r.action == stop && r.has(answer) && !r.has(discard), effectless(s.Phase):
		return OutcomeAnswered
	}
	return OutcomeUnknown
}

// tx says what became of the transaction.
func (r rule) tx(s Situation, o Outcome) TxState {
	switch {
	case s.Phase == PhaseUnit && o != OutcomeUnknown:
		return TxUndone // by whoever ran the unit
	case s.Phase == PhaseUnit, s.Phase == PhaseRollback && o != OutcomeNotSent:
		return TxUnknown
	case s.Phase == PhaseCommit && o == OutcomeRolledBack:
		return TxUndone
	case s.Phase == PhaseCommit && o == OutcomeUnknown:
		return TxUnknown
	case !s.InTx && s.Phase != PhaseCommit && s.Phase != PhaseRollback:
		return TxNone
	case r.broken():
		return TxUndone
	case r.has(mayUndo):
		return TxUnknown
	case r.nothingSent(s):
		return TxOpen
	case r.has(fails):
		return TxFailed
	case r.has(undone):
		return TxUndone
	case r.has(answer), r.has(done):
		return TxOpen
	}
	return TxUnknown
}

// broken reports that the connection is gone, and an open transaction with it.
func (r rule) broken() bool { return r.has(discard) && !r.has(kept) }

// nothingSent reports whether it is certain that the server did not get the
// call.
func (r rule) nothingSent(s Situation) bool {
	return r.has(unsent) || s.Progress == ProgressUnsent
}

// effectless reports whether a step changes nothing in the database, so that
// it may be taken twice.
func effectless(p Phase) bool {
	switch p {
	case PhaseConnect, PhaseAcquire, PhaseBegin, PhasePrepare:
		return true
	}
	return false
}
