package fault_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/fault"
)

// TestWhatBecameOfTheTransaction: the server's states are held against real ones
// by TestFaultTxState of the integration tests.
func TestWhatBecameOfTheTransaction(t *testing.T) {
	t.Parallel()
	in := fault.Situation{InTx: true}
	commit := fault.Situation{Phase: fault.PhaseCommit, InTx: true}
	for _, c := range []struct {
		err  error
		s    fault.Situation
		want fault.TxState
	}{
		{mysql(1792), in, fault.TxOpen},
		{mysql(1836), in, fault.TxOpen},
		{&MySQLError{Number: 1290, Message: "running with the --read-only option"}, in, fault.TxOpen},
		{mysql(1062), in, fault.TxOpen},
		{&MySQLError{Number: 1644, SQLState: [5]byte{'4', '0', '0', '0', '1'}}, in, fault.TxOpen},
		{mysql(3572), in, fault.TxOpen},
		{mysql(1213), in, fault.TxUndone},
		{mysql(1020), in, fault.TxUndone},
		{mysql(1206), in, fault.TxUndone},
		{mysql(1613), in, fault.TxUndone},
		{mysql(3101), in, fault.TxUndone},
		{mysql(1205), in, fault.TxUnknown},
		{mysql(1180), in, fault.TxUnknown},
		{mysql(1053), in, fault.TxUndone},
		{&MySQLError{Number: 9999, SQLState: [5]byte{'4', '0', '0', '0', '0'}}, in, fault.TxUndone},
		{&MySQLError{Number: 1402, SQLState: [5]byte{'X', 'A', '1', '0', '0'}}, in, fault.TxUndone},
		{&MySQLError{Number: 9999, SQLState: [5]byte{'H', 'Y', '0', '0', '0'}}, in, fault.TxOpen},
		{postgres("23505"), in, fault.TxFailed},
		{postgres("40001"), in, fault.TxFailed},
		{postgres("25006"), in, fault.TxFailed},
		{postgres("25P02"), in, fault.TxFailed},
		{postgresFatal("57P01"), in, fault.TxUndone},
		{sqlite(5), in, fault.TxOpen},
		{sqlite(517), in, fault.TxOpen},
		{sqlite(2067), in, fault.TxUnknown},
		{sqlite(9), in, fault.TxUnknown},
		{sqlite(13), in, fault.TxUnknown},
		{sqlite(516), in, fault.TxUndone},
		{io.EOF, in, fault.TxUndone},
		{driver.ErrBadConn, in, fault.TxUndone},
		{sql.ErrNoRows, in, fault.TxOpen},
		{sql.ErrTxDone, in, fault.TxUnknown},
		{errors.New("busy buffer"), in, fault.TxOpen},
		{fault.ErrRejected, in, fault.TxOpen},
		{errors.New("odd"), in, fault.TxUnknown},
		{context.Canceled, fault.Situation{InTx: true, Cause: context.Canceled}, fault.TxUnknown},
		{context.Canceled, fault.Situation{InTx: true, Cause: context.Canceled, Progress: fault.ProgressUnsent}, fault.TxOpen},
		{errors.Join(sqlite(9), context.Canceled), fault.Situation{InTx: true, Cause: context.Canceled}, fault.TxUnknown},
		{errors.Join(postgres("57014"), context.Canceled), fault.Situation{InTx: true, Cause: context.Canceled}, fault.TxFailed},
		{postgres("40001"), commit, fault.TxUndone},
		{mysql(1213), commit, fault.TxUndone},
		{mysql(1180), commit, fault.TxUnknown},
		{io.EOF, commit, fault.TxUnknown},
		{pgconn.ErrConnClosed, fault.Situation{Phase: fault.PhaseCommit, InTx: true, Progress: fault.ProgressUnsent}, fault.TxUndone},
		{context.Canceled, fault.Situation{Phase: fault.PhaseCommit, InTx: true, Cause: context.Canceled, Progress: fault.ProgressUnsent}, fault.TxOpen},
		{io.EOF, fault.Situation{Phase: fault.PhaseRollback, InTx: true}, fault.TxUnknown},
		{postgres("40001"), fault.Situation{Phase: fault.PhaseUnit}, fault.TxUndone},
		{&fault.CommitError{Err: io.EOF}, fault.Situation{Phase: fault.PhaseUnit}, fault.TxUnknown},
		{mysql(1213), fault.Situation{}, fault.TxNone},
		{nil, in, fault.TxNone},
	} {
		if got := fault.Of(c.err, c.s).Tx; got != c.want {
			t.Errorf("%v in %+v: %v, want %v", c.err, c.s, got, c.want)
		}
	}
}

func TestServerThatRefusesOneStatementOfATransactionIsNotToBlame(t *testing.T) {
	t.Parallel()
	if v := fault.Of(mysql(1792), fault.Situation{InTx: true}); v.Breaker != fault.BreakerExclude || !v.Answered || v.Outcome != fault.OutcomeAnswered {
		t.Errorf("%+v", v)
	}
}

func TestARollbackWhoseConnectionIsGoneIsMoot(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		at   fault.Situation
		want bool
	}{
		{driver.ErrBadConn, fault.Situation{Phase: fault.PhaseRollback, Progress: fault.ProgressUnsent, InTx: true}, true},
		{driver.ErrBadConn, fault.Situation{Phase: fault.PhaseCommit, Progress: fault.ProgressUnsent, InTx: true}, false},
		{driver.ErrBadConn, fault.Situation{Phase: fault.PhaseStatement, Progress: fault.ProgressUnsent, InTx: true}, false},
		{io.ErrUnexpectedEOF, fault.Situation{Phase: fault.PhaseRollback, InTx: true}, false}, // lost while it waited for the answer
	} {
		if got := fault.Of(test.err, test.at).Moot; got != test.want {
			t.Errorf("%v at %+v: moot is %t", test.err, test.at, got)
		}
	}
}
