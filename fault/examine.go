package fault

import "github.com/sessionproxy/sessionproxy/fault/internal/shape"

// maxErrors bounds the errors of a tree that are looked at, so that one that
// unwraps to itself ends.
const maxErrors = 128

// examination is what a tree of errors holds, joined and wrapped ones alike.
type examination struct {
	// found is the rule of the most telling error; among equals of the first.
	found rule
	rank  rank
	// source is the database's error that found stems from; nil if none.
	source error
	// code is the database's code in source.
	code string

	marks mark
	left  int
}

// rank orders findings: the database's own word tells more than what a driver
// says, and that more than what the network does.
type rank uint8

const (
	rankNothing rank = iota
	rankNetwork
	rankDriver
	rankDatabase
)

// mark is a set of facts about a tree that stand beside its finding.
type mark uint16

const (
	// markCommitUnknown: the tree matches ErrCommitUnknown.
	markCommitUnknown mark = 1 << iota
	// markRejected: the tree matches ErrRejected.
	markRejected
	// markAttempt: the tree matches ErrAttemptTimeout.
	markAttempt
	// markCanceled: the tree matches context.Canceled.
	markCanceled
	// markDeadline: the tree matches context.DeadlineExceeded.
	markDeadline
	// markDialDeadline: so does the making of a connection in it, which may
	// have a limit of its own.
	markDialDeadline
	// markDoubt: a connection broke when something may have been sent.
	markDoubt
	// markConnect: the making of a connection failed, by its driver's word.
	markConnect
	// markRole: by its text, a host answered that it has not the role that was
	// asked for: it only reads, or it writes.
	markRole
)

// examine looks at err and at all that it wraps. dialling says that the error
// arose while a connection was being made.
func examine(err error, dialling bool) examination {
	x := examination{left: maxErrors}
	x.visit(err, dialling)
	return x
}

// is reports whether any mark in m is set.
func (x *examination) is(m mark) bool { return x.marks&m != 0 }

// visit looks at err and, depth first, at what it wraps.
func (x *examination) visit(err error, dialling bool) {
	if err == nil || x.left == 0 {
		return
	}
	x.left--
	dialling = dialling || isDial(err)
	x.match(err, dialling)
	x.recognise(err, dialling)
	several, inner := unwrap(err)
	x.visit(inner, dialling)
	for _, e := range several {
		x.visit(e, dialling)
	}
}

// quiet is deferred where a method of an error is called that may panic (on a
// nil pointer, often): such an error says nothing, the rest of the tree does.
func quiet() { _ = recover() }

// unwrap returns what err wraps: several errors or one.
func unwrap(err error) (several []error, inner error) {
	defer quiet()
	switch e := err.(type) {
	case *ConnLostError: // opaque to others only
		return nil, e.Err
	case interface{ Unwrap() error }:
		return nil, e.Unwrap()
	case interface{ Unwrap() []error }:
		return e.Unwrap(), nil
	}
	return nil, nil
}

// find records a finding of the given rank.
func (x *examination) find(r rule, k rank, dialling bool) {
	if dialling {
		r = r.whileDialling()
	} else if r.action == ifHarmless || r.action == ambiguous {
		x.marks |= markDoubt
	}
	if k > x.rank {
		x.found, x.rank = r, k
	}
}

// whileDialling returns the rule for an error that came while a connection
// was being made: no statement was sent.
func (r rule) whileDialling() rule {
	if r.class == ClassConnectionLost {
		r.class = ClassConnect
	}
	if r.action == ifHarmless || r.action == ambiguous {
		r.action = reconnect
	}
	return r.with(unsent)
}

// recognise looks for the database's own word in err.
func (x *examination) recognise(err error, dialling bool) {
	defer quiet()
	if x.rank == rankDatabase {
		return
	}
	r, code, ok := lookUp(err)
	if !ok {
		return
	}
	x.find(r.with(answer), rankDatabase, dialling)
	x.source, x.code = err, code
}

// lookUp returns the rule and the code of a database's error.
func lookUp(err error) (rule, string, bool) {
	s := shape.Of(err)
	if state, ok := sqlState(err); ok {
		return postgresRule(state, err, s), state, true
	}
	switch s.Family {
	case shape.MySQL:
		return mysqlCode(err, s)
	case shape.SQLite:
		return sqliteCode(err, s)
	}
	return rule{}, "", false
}
