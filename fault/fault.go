package fault

// Of returns what err means in the situation s. It never fails and never
// panics, whatever err is made of. A nil error is success and costs nothing.
//
// If err wraps several errors, the database's own error decides; if there is
// more than one, the first does. See the package documentation for the rules.
func Of(err error, s Situation) Verdict {
	if err == nil {
		return Verdict{Outcome: OutcomeDone, Breaker: BreakerSuccess, Answered: true}
	}
	return judge(err, s)
}

// judge is Of for an error. It stands alone so that success is inlined.
func judge(err error, s Situation) Verdict {
	x := examine(err, s.Phase == PhaseConnect)
	if x.is(markCommitUnknown) {
		s.Phase, s.Progress = PhaseCommit, ProgressUnknown
	}
	if x.is(markRole) && s.Progress == ProgressUnsent {
		x.find(wrongRole, rankDriver, true) // lib/pq does not say that it was connecting
	}
	ended, class := endOf(&x, s.Cause)
	v := x.rule(ended, class, s.Phase).verdict(s)
	if ended == byCaller {
		v.Retry, v.Breaker = RetryNone, BreakerExclude
	}
	if x.is(markRole) && v.Breaker == BreakerFailure && v.Outcome == OutcomeNotSent {
		v.Breaker = BreakerExclude // a host is there, and will serve when it has the role
	}
	if x.is(markRejected) {
		v.Retry = RetryNone
	}
	if x.is(markCommitUnknown) {
		v.Retry, v.Outcome = RetryNone, OutcomeUnknown
	}
	v.Moot = s.Phase == PhaseRollback && v.Tx == TxUndone
	return v
}

// Code returns the database's own code for err: the SQLSTATE of PostgreSQL,
// the error number of MySQL and MariaDB, the extended result code of SQLite.
// It is empty if err holds none.
func Code(err error) string {
	if err == nil {
		return ""
	}
	x := examine(err, false)
	return x.code
}

// ending says whose context ended.
type ending uint8

const (
	byNone ending = iota
	byCaller
	byAttempt
)

// endOf tells from the tree and from the cause of the context's end whose
// context ended, and the class of fault which that is. The caller's end counts
// before that of an attempt.
func endOf(x *examination, cause error) (ending, Class) {
	if cause != nil {
		c := examine(cause, false)
		switch {
		case c.is(markAttempt):
			return byAttempt, ClassAttemptTimeout
		case c.is(markDeadline), !c.is(markCanceled) && x.is(markDeadline|markDialDeadline):
			return byCaller, ClassTimeout
		}
		return byCaller, ClassCanceled
	}
	switch {
	case x.is(markAttempt):
		return byAttempt, ClassAttemptTimeout
	case x.found.class == ClassPoolTimeout:
		return byNone, ClassNone
	case x.is(markDeadline):
		return byCaller, ClassTimeout
	case x.is(markCanceled):
		return byCaller, ClassCanceled
	}
	return byNone, ClassNone
}

// rule returns the one rule that the tree comes down to.
func (x *examination) rule(e ending, c Class, p Phase) rule {
	switch {
	case x.rank > rankNetwork && !x.found.has(interrupt):
		return x.conclude()
	case x.is(markRejected):
		return rejected
	case e == byAttempt:
		return x.ended(rule{c, ifHarmless, BreakerFailure, 0})
	case e == byCaller:
		return x.ended(rule{c, stop, BreakerExclude, 0})
	case x.rank > rankNothing:
		return x.conclude()
	case x.is(markDialDeadline):
		return connectTimeout
	case p == PhaseConnect, x.is(markConnect):
		return connectUnknown
	}
	return unknown
}

// conclude returns the finding. If a connection broke elsewhere in the tree when
// something may have been sent, the finding's word for what became of the
// work is not enough.
func (x *examination) conclude() rule {
	r := x.found
	if !x.is(markDoubt) {
		return r
	}
	switch r.action {
	case again, replay, reconnect:
		r.action = ifHarmless
	}
	return r.without(notCommitted | unsent)
}

// ended returns r, the rule of an ended context, with what the finding says of
// the connection and of the statement.
func (x *examination) ended(r rule) rule {
	if x.rank == rankNothing {
		return r
	}
	r = r.with(x.conclude().traits & (discard | answer | notCommitted | undone | unsent | fails | mayUndo | kept))
	if r.has(answer|undone) && r.action == ifHarmless {
		r.action = replay
	}
	return r
}
