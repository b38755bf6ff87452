package fault_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

// refused is what a dial of a port without a listener returns.
var refused error = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// reset is what a read of a connection that the server dropped returns.
var reset error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

func TestSuccessIsDone(t *testing.T) {
	t.Parallel()
	for phase := range fault.PhaseUnit + 1 {
		got := fault.Of(nil, fault.Situation{Phase: phase, Cause: context.Canceled})
		want := fault.Verdict{Outcome: fault.OutcomeDone, Tx: fault.TxNone, Breaker: fault.BreakerSuccess, Answered: true}
		if got != want {
			t.Errorf("%v: got %+v, want %+v", phase, got, want)
		}
	}
}

func TestSuccessAllocatesNothing(t *testing.T) { // not parallel: AllocsPerRun counts all goroutines
	s := fault.Situation{Phase: fault.PhaseCommit, InTx: true}
	if n := alloctest.PerRun(100, func() { _ = fault.Of(nil, s) }); n != 0 {
		t.Errorf("Of(nil) allocates %v times", n)
	}
}

func TestLostConnection(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, reset, net.ErrClosed, os.ErrDeadlineExceeded,
		syscall.EPIPE, syscall.ECONNRESET, io.ErrShortWrite, pgconn.ErrConnClosed,
		errors.New("invalid connection"), errors.New("bad connection"),
		&fault.ConnLostError{Err: driver.ErrBadConn}, &fault.ConnLostError{},
		fmt.Errorf("query users: %w", errors.Join(errors.New("other"), io.EOF)),
	} {
		t.Run(err.Error(), func(t *testing.T) {
			t.Parallel()
			row{err, fault.ClassConnectionLost, idem, failure}.check(t)
			if v := fault.Of(err, fault.Situation{}); !v.DiscardConn || v.Answered || v.Outcome != fault.OutcomeUnknown {
				t.Errorf("outside a transaction: %+v", v)
			}
			if v := fault.Of(err, fault.Situation{InTx: true}); v.Outcome != fault.OutcomeRolledBack {
				t.Errorf("inside a transaction the server rolls back, got %+v", v)
			}
		})
	}
}

func TestConnectionLostInStepsWithoutEffectIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, phase := range []fault.Phase{fault.PhaseBegin, fault.PhasePrepare, fault.PhaseConnect, fault.PhaseAcquire} {
		for _, err := range []error{io.EOF, reset, driver.ErrBadConn, postgresFatal("57P01"), postgres("08006"), mysql(1053), postgres("08007")} {
			v := fault.Of(err, fault.Situation{Phase: phase})
			if v.Retry != fault.RetryReconnect || v.Outcome == fault.OutcomeUnknown {
				t.Errorf("%v: %v: got %+v", phase, err, v)
			}
		}
		if v := fault.Of(io.EOF, fault.Situation{Phase: phase, InTx: true}); v.Retry != fault.RetryTransaction {
			t.Errorf("%v inside a transaction is no statement to repeat alone, got %+v", phase, v)
		}
	}
}

func TestUnsentCallMayBeRepeated(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, driver.ErrBadConn, pgconn.ErrConnClosed, errors.New("invalid connection"), postgresFatal("57P01"), &fault.ConnLostError{Err: driver.ErrBadConn}} {
		s := fault.Situation{Progress: fault.ProgressUnsent}
		if v := fault.Of(err, s); v.Retry != fault.RetryReconnect || v.Outcome != fault.OutcomeNotSent {
			t.Errorf("%v: statement: got %+v", err, v)
		}
		s.Phase, s.InTx = fault.PhaseCommit, true
		if v := fault.Of(err, s); v.Retry != fault.RetryTransaction || v.Outcome != fault.OutcomeNotSent {
			t.Errorf("%v: COMMIT: got %+v", err, v)
		}
	}
}

func TestConnectionThatWasNotMade(t *testing.T) {
	t.Parallel()
	for _, err := range []error{refused, syscall.ECONNREFUSED, &net.DNSError{Err: "no such host", IsNotFound: true}, fmt.Errorf("open: %w", refused)} {
		want := fault.Verdict{Class: fault.ClassConnect, Retry: fault.RetryReconnect, Outcome: fault.OutcomeNotSent, Breaker: fault.BreakerFailure, DiscardConn: true}
		for _, phase := range []fault.Phase{fault.PhaseConnect, fault.PhaseStatement, fault.PhaseAcquire, fault.PhaseBegin} {
			if got := fault.Of(err, fault.Situation{Phase: phase}); got != want {
				t.Errorf("%v: %v: got %+v, want %+v", phase, err, got, want)
			}
		}
	}
}

func TestDriversOwnDialTimeoutIsNoEndOfTheCaller(t *testing.T) {
	t.Parallel()
	timeout := &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
	v := fault.Of(timeout, fault.Situation{Phase: fault.PhaseConnect})
	if v.Class != fault.ClassConnect || v.Retry != fault.RetryReconnect || v.Breaker != fault.BreakerFailure {
		t.Errorf("with a live context: %+v", v)
	}
	v = fault.Of(fmt.Errorf("handshake: %w", context.DeadlineExceeded), fault.Situation{Phase: fault.PhaseConnect})
	if v.Class != fault.ClassConnect || v.Retry != fault.RetryReconnect {
		t.Errorf("in a handshake with a live context: %+v", v)
	}
	v = fault.Of(timeout, fault.Situation{Phase: fault.PhaseConnect, Cause: context.DeadlineExceeded})
	if v.Class != fault.ClassTimeout || v.Retry != fault.RetryNone || v.Breaker != fault.BreakerExclude {
		t.Errorf("with an ended context: %+v", v)
	}
}

func TestCallerWhoGaveUp(t *testing.T) {
	t.Parallel()
	timedOut := fmt.Errorf("timeout: %w", context.DeadlineExceeded)
	for _, c := range []struct {
		name  string
		err   error
		cause error
		class fault.Class
	}{
		{"canceled", context.Canceled, nil, fault.ClassCanceled},
		{"deadline", timedOut, nil, fault.ClassTimeout},
		{"lost connection after cancel", io.EOF, context.Canceled, fault.ClassCanceled},
		{"lost connection after deadline", driver.ErrBadConn, context.DeadlineExceeded, fault.ClassTimeout},
		{"cause of the caller's own", io.EOF, errors.New("user left"), fault.ClassCanceled},
		{"deadline with a cause of the caller's own", timedOut, errors.New("too slow"), fault.ClassTimeout},
		{"server's word of a cancel", postgres("57014"), context.DeadlineExceeded, fault.ClassTimeout},
		{"MySQL's word of a cancel", mysql(1317), context.Canceled, fault.ClassCanceled},
		{"SQLite's word of a cancel", sqlite(9), context.DeadlineExceeded, fault.ClassTimeout},
		{"transaction ended by its context", sql.ErrTxDone, context.Canceled, fault.ClassCanceled},
		{"unknown error", errors.New("odd"), context.Canceled, fault.ClassCanceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for phase := range fault.PhaseUnit + 1 {
				v := fault.Of(c.err, fault.Situation{Phase: phase, Cause: c.cause, Idempotent: true})
				if phase == fault.PhaseConnect && c.cause == nil && c.class == fault.ClassTimeout {
					continue // may be the driver's own limit
				}
				if v.Class != c.class || v.Retry != fault.RetryNone || v.Breaker != fault.BreakerExclude {
					t.Errorf("%v: %+v", phase, v)
				}
			}
		})
	}
}

func TestServersAnswerStandsAfterTheCallerGaveUp(t *testing.T) {
	t.Parallel()
	v := fault.Of(postgres("40001"), fault.Situation{InTx: true, Cause: context.Canceled})
	want := fault.Verdict{Class: fault.ClassSerialization, Outcome: fault.OutcomeRolledBack, Tx: fault.TxFailed, Answered: true, Contention: true}
	if v != want {
		t.Errorf("got %+v, want %+v", v, want)
	}
	joined := errors.Join(postgres("40001"), context.DeadlineExceeded)
	if v := fault.Of(joined, fault.Situation{InTx: true}); v.Class != fault.ClassSerialization || v.Retry != fault.RetryNone {
		t.Errorf("joined with the end of the context: %+v", v)
	}
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	limit := fmt.Errorf("%w: %w", fault.ErrAttemptTimeout, context.DeadlineExceeded)
	for _, c := range []struct {
		name string
		err  error
		s    fault.Situation
	}{
		{"told by the error", limit, fault.Situation{}},
		{"told by the cause", context.DeadlineExceeded, fault.Situation{Cause: limit}},
		{"lost connection", driver.ErrBadConn, fault.Situation{Cause: limit}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := fault.Of(c.err, c.s)
			if v.Class != fault.ClassAttemptTimeout || v.Retry != fault.RetryNone || v.Breaker != fault.BreakerFailure || v.Outcome != fault.OutcomeUnknown {
				t.Errorf("write: %+v", v)
			}
			c.s.Idempotent = true
			if v := fault.Of(c.err, c.s); v.Retry != fault.RetryReconnect {
				t.Errorf("idempotent: %+v", v)
			}
			c.s.InTx = true
			if v := fault.Of(c.err, c.s); v.Retry != fault.RetryTransaction {
				t.Errorf("in a transaction: %+v", v)
			}
			c.s.Phase = fault.PhaseCommit
			if v := fault.Of(c.err, c.s); v.Retry != fault.RetryNone || v.Outcome != fault.OutcomeUnknown {
				t.Errorf("COMMIT: %+v", v)
			}
		})
	}
	undone := fault.Of(postgres("57014"), fault.Situation{Cause: limit})
	if undone.Retry != fault.RetryStatement || undone.Outcome != fault.OutcomeRolledBack || undone.Class != fault.ClassAttemptTimeout {
		t.Errorf("a statement that PostgreSQL says it cancelled: %+v", undone)
	}
	if v := fault.Of(limit, fault.Situation{Cause: context.Canceled}); v.Class != fault.ClassCanceled {
		t.Errorf("the caller's own end counts before the attempt's: %+v", v)
	}
}

func TestCommitWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	commit := fault.Situation{Phase: fault.PhaseCommit, InTx: true, Idempotent: true}
	for _, err := range []error{
		io.EOF, reset, driver.ErrBadConn, context.Canceled, context.DeadlineExceeded, errors.New("odd"),
		postgresFatal("57P01"), postgres("08006"), postgres("08007"), postgres("40003"), postgresFatal("40001"),
		mysql(1180), mysql(1053), mysql(1927), mysql(1317), sqlite(266),
		errors.Join(postgres("40001"), io.EOF),
	} {
		v := fault.Of(err, commit)
		if v.Outcome != fault.OutcomeUnknown || v.Retry != fault.RetryNone || !v.DiscardConn {
			t.Errorf("%v: got %+v", err, v)
		}
		commitErr := fmt.Errorf("run: %w", &fault.CommitError{Err: err})
		for phase := range fault.PhaseUnit + 1 {
			v := fault.Of(commitErr, fault.Situation{Phase: phase, Idempotent: true, Progress: fault.ProgressUnsent})
			if v.Outcome != fault.OutcomeUnknown || v.Retry != fault.RetryNone {
				t.Errorf("%v: %v: got %+v", phase, commitErr, v)
			}
		}
	}
}

func TestCommitThatFailedForCertain(t *testing.T) {
	t.Parallel()
	commit := fault.Situation{Phase: fault.PhaseCommit, InTx: true}
	for _, c := range []struct {
		err   error
		retry fault.Retry
	}{
		{postgres("40001"), fault.RetryTransaction},
		{postgres("40P01"), fault.RetryTransaction},
		{mysql(1213), fault.RetryTransaction},
		{sqlite(5), fault.RetryTransaction},
		{postgresFatal("25P03"), fault.RetryTransaction},
		{postgres("23503"), fault.RetryNone}, // a deferred constraint
		{postgres("XX000"), fault.RetryNone},
		{sqlite(787), fault.RetryNone},
		{pgx.ErrTxCommitRollback, fault.RetryNone},
		{errors.New("pq: could not complete operation in a failed transaction"), fault.RetryNone},
		{errors.New("pq: Could not complete operation in a failed transaction"), fault.RetryNone},
	} {
		v := fault.Of(c.err, commit)
		if v.Outcome != fault.OutcomeRolledBack || v.Retry != c.retry {
			t.Errorf("%v: got %+v, want retry %v", c.err, v, c.retry)
		}
	}
}

func TestUnitOfWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		retry fault.Retry
	}{
		{postgres("40001"), fault.RetryTransaction},
		{mysql(1205), fault.RetryTransaction},
		{sqlite(517), fault.RetryTransaction},
		{io.EOF, fault.RetryTransaction},
		{driver.ErrBadConn, fault.RetryTransaction},
		{postgresFatal("57P01"), fault.RetryTransaction},
		{postgres("40003"), fault.RetryNone},
		{postgres("23505"), fault.RetryNone},
		{sql.ErrNoRows, fault.RetryNone},
		{errors.New("the function's own"), fault.RetryNone},
	} {
		v := fault.Of(c.err, fault.Situation{Phase: fault.PhaseUnit})
		if v.Retry != c.retry || v.Outcome != fault.OutcomeRolledBack {
			t.Errorf("%v: got %+v, want retry %v", c.err, v, c.retry)
		}
	}
	if v := fault.Of(refused, fault.Situation{Phase: fault.PhaseUnit}); v.Retry != fault.RetryTransaction || v.Outcome != fault.OutcomeNotSent {
		t.Errorf("BEGIN without a connection: got %+v", v)
	}
}

func TestRowsAreNotReadTwice(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, postgres("40001"), mysql(1213), sqlite(5), driver.ErrBadConn, refused} {
		v := fault.Of(err, fault.Situation{Phase: fault.PhaseRows, Idempotent: true, Progress: fault.ProgressAnswered})
		if v.Retry != fault.RetryNone {
			t.Errorf("%v: got %+v", err, v)
		}
	}
}

func TestRollbackThatFailed(t *testing.T) {
	t.Parallel()
	rollback := fault.Situation{Phase: fault.PhaseRollback, InTx: true}
	for _, err := range []error{io.EOF, postgres("XX000"), errors.New("odd"), context.DeadlineExceeded} {
		v := fault.Of(err, rollback)
		if v.Retry != fault.RetryNone || v.Outcome != fault.OutcomeRolledBack || !v.DiscardConn {
			t.Errorf("%v: got %+v", err, v)
		}
	}
	if v := fault.Of(sql.ErrTxDone, rollback); v.DiscardConn || v.Outcome != fault.OutcomeNotSent {
		t.Errorf("of a finished transaction: %+v", v)
	}
}

// TestARefusalInsideAStatementIsNone: what a server says when it takes no
// connection, a function may report of another server, after its procedure has
// committed.
func TestARefusalInsideAStatementIsNone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"08001", "08004", "53300", "57P03", "57P05"} {
		inside := fault.Of(postgres(code), fault.Situation{})
		if inside.Outcome != fault.OutcomeRolledBack {
			t.Errorf("%s as an ERROR: %+v", code, inside)
		}
		if inTx := fault.Of(postgres(code), fault.Situation{InTx: true}); inTx.Tx != fault.TxFailed {
			t.Errorf("%s as an ERROR in a transaction: %+v", code, inTx)
		}
		for _, s := range []fault.Situation{{Phase: fault.PhaseConnect}, {Progress: fault.ProgressUnsent}} {
			if v := fault.Of(postgres(code), s); v.Outcome != fault.OutcomeNotSent {
				t.Errorf("%s in %+v: %+v", code, s, v)
			}
		}
	}
	for err, want := range map[error]fault.Outcome{
		postgresFatal("53300"): fault.OutcomeNotSent,
		postgresFatal("57P03"): fault.OutcomeNotSent,
		postgresFatal("57P05"): fault.OutcomeNotSent,
		postgresFatal("08001"): fault.OutcomeRolledBack,
		mysql(4031):            fault.OutcomeNotSent,
		mysql(1040):            fault.OutcomeRolledBack,
		mysql(1203):            fault.OutcomeRolledBack,
		mysql(1226):            fault.OutcomeRolledBack,
	} {
		if v := fault.Of(err, fault.Situation{}); v.Outcome != want {
			t.Errorf("%v: %+v, want %v", err, v, want)
		}
	}
}

// TestNothingThatWasSentIsUnsent: what was read for a call (LOAD DATA from a
// reader) may fail by a dial of its own.
func TestNothingThatWasSentIsUnsent(t *testing.T) {
	t.Parallel()
	for _, err := range []error{refused, postgresFatal("57P03"), mysql(1040), mysql(4031), sql.ErrConnDone, fault.ErrPoolTimeout} {
		v := fault.Of(err, fault.Situation{Progress: fault.ProgressSent})
		if v.Outcome != fault.OutcomeUnknown || v.Retry != fault.RetryNone {
			t.Errorf("%v: %+v", err, v)
		}
	}
}
