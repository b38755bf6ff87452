package unit

import (
	"context"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// State is what is known of one transaction of a unit of work: of one
// performance of its function. The zero value is a transaction that has not
// begun. A State is safe for concurrent use: functions that join the unit, and
// database/sql's own rollback of a context that is over, run beside its function.
type State struct {
	begun   atomic.Bool // the function is at work; what ends the transaction is its doing
	closing atomic.Bool // the function has returned; what ends the transaction is the unit's doing
	sent    atomic.Bool // the unit has asked for COMMIT

	commits atomic.Bool  // the function has asked for COMMIT by the transaction's method
	rolls   atomic.Bool  // likewise ROLLBACK
	unsure  atomic.Bool  // a statement may have ended the transaction
	doubts  atomic.Int32 // statements that may, of which the server's answer can tell
	limited atomic.Bool  // a statement has failed by a limit that it set itself

	fault  atomic.Pointer[heard]
	joined atomic.Pointer[heard] // why a function that joined failed
}

type heard struct {
	err  error
	last bool // no statement can succeed any more, so that nothing takes its place
}

// Begin says that the function starts, in a transaction that has just begun.
func (s *State) Begin() { s.begun.Store(true) }

// Begun reports whether the function has started.
func (s *State) Begun() bool { return s.begun.Load() }

// Close says that the function has returned: whatever ends the transaction from
// now on is the unit's own doing.
func (s *State) Close() { s.closing.Store(true) }

// Closed reports whether the function has returned.
func (s *State) Closed() bool { return s.closing.Load() }

// Commit notes that COMMIT is about to be sent.
func (s *State) Commit() {
	switch {
	case s == nil:
	case s.closing.Load():
		s.sent.Store(true)
	case s.begun.Load():
		s.commits.Store(true)
	}
}

// CommitSent reports whether the unit has asked for COMMIT.
func (s *State) CommitSent() bool { return s.sent.Load() }

// Rollback notes that the transaction was rolled back, or that its connection,
// over which that failed, will not be used again.
func (s *State) Rollback() {
	if s != nil && s.begun.Load() && !s.closing.Load() {
		s.rolls.Store(true)
	}
}

// Send notes that a statement is about to be sent.
func (s *State) Send(d sqltext.Dialect, text string) {
	if s != nil && !s.unsure.Load() && !sqltext.KeepsTx(d, text) {
		s.unsure.Store(true)
	}
}

// SendCockroachDB is [State.Send] for CockroachDB.
func (s *State) SendCockroachDB(text string) {
	if s != nil && !s.unsure.Load() && !sqltext.KeepsTxCockroachDB(text) {
		s.unsure.Store(true)
	}
}

// Doubt notes that a statement is about to be sent that may end the transaction,
// unless [State.Clear] is called for it.
func (s *State) Doubt() { s.doubts.Add(1) }

// Clear notes that the server's answer to a statement in doubt has told that the
// transaction goes on.
func (s *State) Clear() { s.doubts.Add(-1) }

// MarkUnsure notes that the function may have ended the transaction.
func (s *State) MarkUnsure() { s.unsure.Store(true) }

// MayBeCommitted reports whether the function may have committed a part of its
// work.
func (s *State) MayBeCommitted() bool { return s.commits.Load() || s.Unsure() }

// Unsure reports whether a statement may have ended the transaction.
func (s *State) Unsure() bool { return s.unsure.Load() || s.doubts.Load() > 0 }

// Ended reports whether the function has ended the transaction by its methods.
func (s *State) Ended() bool { return s.commits.Load() || s.rolls.Load() }

// Committed reports whether the function has asked for COMMIT by the
// transaction's method.
func (s *State) Committed() bool { return s.commits.Load() }

// Heard notes how a statement ended. A fault counts for as long as nothing in
// the transaction succeeds after it: a function that goes on after a fault, or
// undoes it by a savepoint, has dealt with it. last says that nothing can
// succeed any more but ROLLBACK, to a savepoint perhaps.
func (s *State) Heard(err error, last bool) {
	if s == nil || s.closing.Load() {
		return
	}
	before := s.fault.Load()
	switch {
	case err == nil && before != nil:
		s.fault.Store(nil)
	case err != nil && (before == nil || !before.last):
		s.fault.Store(&heard{err, last})
	}
}

// HeardLimit notes that a statement has failed by a limit on the wait for a lock
// that it set itself, and whose error does not tell (NOWAIT of MariaDB).
func (s *State) HeardLimit() {
	if s != nil {
		s.limited.Store(true)
	}
}

// JoinEnded notes with what error a function ended that had joined the unit;
// [sp.ErrAborted] if it did not return. Half of a unit is never committed.
func (s *State) JoinEnded(err error) {
	if err != nil {
		s.joined.CompareAndSwap(nil, &heard{err: err})
	}
}

// JoinFailed returns why a function that joined the unit failed, or nil.
func (s *State) JoinFailed() error {
	if j := s.joined.Load(); j != nil {
		return j.err
	}
	return nil
}

// JudgeBegin judges err, with which the unit's BEGIN failed: nothing of the unit
// has happened. One that waited too long for a lock (BEGIN IMMEDIATE of SQLite)
// is not made again by itself, and is with its unit.
func JudgeBegin(ctx context.Context, call *sp.Call, err error) {
	v := call.Judge(ctx, err, fault.PhaseBegin, fault.ProgressUnsent)
	if v.Class == fault.ClassLockTimeout && v.Retry == fault.RetryNone {
		call.Judge(ctx, err, fault.PhaseUnit, fault.ProgressUnsent)
	}
}

// Judge judges err, with which the unit's function ended, for the unit's call.
// If it says nothing of what the database did, the fault that stood at the end
// of the transaction decides; if there was none, the error is the caller's own.
// The unit is rolled back in any case.
func (s *State) Judge(ctx context.Context, call *sp.Call, err error) {
	if s.MayBeCommitted() {
		attach.MakeFinal(call)
	}
	v := attach.JudgeOwn(ctx, call, err, fault.PhaseUnit)
	if f := s.fault.Load(); f != nil && silent(v) {
		v = attach.JudgeBy(ctx, call, f.err, fault.PhaseUnit, fault.ProgressUnknown)
	}
	if v.Class == fault.ClassLockTimeout && s.limited.Load() {
		attach.ForbidRetry(call)
	}
}

// JudgeCommit judges err, with which the unit's own COMMIT failed. If the server
// rolled back instead, since a statement had failed before, that decides.
func (s *State) JudgeCommit(ctx context.Context, call *sp.Call, err error, progress fault.Progress) fault.Verdict {
	if s.MayBeCommitted() {
		attach.MakeFinal(call)
	}
	v := call.Judge(ctx, err, fault.PhaseCommit, progress)
	if f := s.fault.Load(); f != nil && v.Class == fault.ClassState && v.Outcome == fault.OutcomeRolledBack {
		return attach.JudgeBy(ctx, call, f.err, fault.PhaseUnit, fault.ProgressUnknown)
	}
	return v
}

// silent reports whether a verdict on a function's error tells nothing of the
// database, or that the transaction had failed before.
func silent(v fault.Verdict) bool {
	return v.Class == fault.ClassUnknown || v.Class == fault.ClassCaller || v.Class == fault.ClassState
}
