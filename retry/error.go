package retry

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/fault"
)

// Reason says why a call was given up. It is also the detail of
// [sessionproxy.EventRetryExhausted] and an attribute of the metric.
type Reason string

const (
	// ReasonAttempts means that the allowed number of attempts was made.
	ReasonAttempts Reason = "attempts"
	// ReasonDeadline means that the pause before the next attempt would have
	// ended after the context's deadline.
	ReasonDeadline Reason = "deadline"
	// ReasonBudget means that the target's retry budget was exhausted.
	ReasonBudget Reason = "budget"
	// ReasonCanceled means that the caller gave up, during the pause or in a
	// later attempt.
	ReasonCanceled Reason = "canceled"
	// ReasonRejected means that a later attempt was refused by this library,
	// such as an open breaker.
	ReasonRejected Reason = "rejected"
	// ReasonFinal means that the last error can't be retried, and that an
	// earlier attempt of the call, which is marked idempotent, may have taken
	// effect.
	ReasonFinal Reason = "final"
)

// Error is the error of a call that failed more than once, was given up while
// it waited for the next attempt, or got no further attempt because the budget
// was exhausted. Its message begins with that of the last database error.
//
// It unwraps to Err first, then to what made the call give up (the context's
// error, a refusal), then to the errors of earlier attempts, the latest first,
// without duplicates. It never matches [driver.ErrBadConn], on which
// database/sql would start a loop of its own, and the error of an earlier
// attempt does not make it match a timeout that was not the call's. If it is
// unknown whether the last attempt took effect, the errors of earlier ones are
// left out, so that their codes can't be mistaken for its own.
type Error struct {
	// Attempts is how many attempts were made, from 1; one that was refused
	// before it reached the database does not count.
	Attempts int
	// Err is the last error of the database.
	Err error
	// Reason says why there was no further attempt.
	Reason Reason

	behind  []error // what made the call give up
	earlier []error // of the attempts before Err's
	tree    []error // what Unwrap returns
}

// Error returns the last database error's message, followed by the number of
// attempts, why there was no other, and the previous error if it differs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Err.Error())
	b.WriteString("; retry: gave up after ")
	b.WriteString(strconv.Itoa(e.Attempts))
	b.WriteString(" attempt")
	if e.Attempts != 1 {
		b.WriteByte('s')
	}
	switch e.Reason {
	case ReasonDeadline:
		b.WriteString(": no time for another before the deadline")
	case ReasonBudget:
		b.WriteString(": retry budget used up")
	}
	for _, err := range e.behind {
		b.WriteString(": ")
		b.WriteString(err.Error())
	}
	if len(e.earlier) > 0 {
		b.WriteString("; earlier: ")
		b.WriteString(e.earlier[0].Error())
	}
	return b.String()
}

// Unwrap returns Err, the cause of giving up, and the errors of earlier
// attempts.
func (e *Error) Unwrap() []error { return e.tree }

// grow returns the errors that e unwraps to.
func (e *Error) grow(certain bool) []error {
	tree := make([]error, 0, 1+len(e.behind)+len(e.earlier))
	tree = append(tree, e.Err)
	if errors.Is(e.Err, driver.ErrBadConn) {
		tree[0] = &fault.ConnLostError{Err: e.Err}
	}
	for _, b := range e.behind {
		tree = append(tree, mute(b, driver.ErrBadConn))
	}
	if certain {
		for _, p := range e.earlier {
			tree = append(tree, &muted{err: p, hidden: attemptOnly})
		}
	}
	return tree
}

// attemptOnly are the errors that are true of an attempt without being true of
// the call.
var attemptOnly = []error{
	driver.ErrBadConn, context.DeadlineExceeded, context.Canceled, fault.ErrAttemptTimeout, fault.ErrPoolTimeout,
}

// muted is an error that does not match some of what it wraps. It has no
// Unwrap: [fault.Of] reads an error tree by that, and must not take an earlier
// attempt's error for the last one's.
type muted struct {
	err    error
	hidden []error
}

// mute returns err so that errors.Is finds none of hidden in it.
func mute(err error, hidden ...error) error {
	for _, h := range hidden {
		if errors.Is(err, h) {
			return &muted{err: err, hidden: hidden}
		}
	}
	return err
}

// Error returns the wrapped error's text.
func (m *muted) Error() string { return m.err.Error() }

// Is reports whether the wrapped error matches target, if that is not hidden.
func (m *muted) Is(target error) bool {
	return !slices.Contains(m.hidden, target) && errors.Is(m.err, target)
}

// As finds the first error of target's type in the wrapped one.
func (m *muted) As(target any) bool { return errors.As(m.err, target) }

// others returns errs, latest last, in reverse order without those that read
// like err or like each other. Their types need not be comparable.
func others(err error, errs []error) []error {
	told := map[string]bool{err.Error(): true}
	var out []error
	for _, e := range slices.Backward(errs) {
		if text := e.Error(); !told[text] {
			told[text] = true
			out = append(out, e)
		}
	}
	return out
}
