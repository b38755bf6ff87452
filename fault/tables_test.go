package fault_test

import (
	"fmt"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
)

// action is a letter of the tables in docs/faults.md, as what it makes of the
// situations that matter.
type action struct {
	name       string
	alone      fault.Retry // statement outside a transaction, which may not run twice
	idempotent fault.Retry // one that may
	inTx       fault.Retry // statement inside a transaction
	atCommit   fault.Retry
	commit     fault.Outcome
}

const (
	none        = fault.RetryNone
	statement   = fault.RetryStatement
	transaction = fault.RetryTransaction
	reconnect   = fault.RetryReconnect
)

var (
	stop      = action{"NO", none, none, none, none, fault.OutcomeRolledBack}
	stopDoubt = action{"NO, COMMIT in doubt", none, none, none, none, fault.OutcomeUnknown}
	again     = action{"ST", statement, statement, transaction, transaction, fault.OutcomeRolledBack}
	wait      = action{"WAIT", none, none, transaction, transaction, fault.OutcomeRolledBack}
	againHere = action{"ST, COMMIT in doubt", statement, statement, transaction, none, fault.OutcomeUnknown}
	elsewhere = action{"TX, discard", reconnect, reconnect, transaction, transaction, fault.OutcomeRolledBack}
	idem      = action{"IDEM", none, reconnect, transaction, none, fault.OutcomeUnknown}
	conn      = action{"CONN", reconnect, reconnect, transaction, none, fault.OutcomeUnknown}
	ambiguous = action{"AMB", none, none, none, none, fault.OutcomeUnknown}
)

// row is one line of a table.
type row struct {
	err     error
	class   fault.Class
	action  action
	breaker fault.Breaker
}

const (
	success = fault.BreakerSuccess
	failure = fault.BreakerFailure
	exclude = fault.BreakerExclude
)

func (r row) check(t *testing.T) {
	t.Helper()
	alone := fault.Of(r.err, fault.Situation{})
	if alone.Class != r.class {
		t.Errorf("class is %v, want %v", alone.Class, r.class)
	}
	if alone.Breaker != r.breaker {
		t.Errorf("breaker is %v, want %v", alone.Breaker, r.breaker)
	}
	inTx := fault.Of(r.err, fault.Situation{InTx: true})
	idempotent := fault.Of(r.err, fault.Situation{Idempotent: true})
	commit := fault.Of(r.err, fault.Situation{Phase: fault.PhaseCommit, InTx: true})
	got := action{r.action.name, alone.Retry, idempotent.Retry, inTx.Retry, commit.Retry, commit.Outcome}
	if got != r.action {
		t.Errorf("permits %+v\nwant    %+v", got, r.action)
	}
}

func checkTable(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(fmt.Sprint(fault.Code(r.err), " ", r.class), func(t *testing.T) {
			t.Parallel()
			r.check(t)
		})
	}
}

func TestPostgresErrors(t *testing.T) {
	t.Parallel()
	checkTable(t, []row{
		{postgres("40001"), fault.ClassSerialization, again, exclude},
		{postgres("40P01"), fault.ClassDeadlock, again, exclude},
		{postgres("CR000"), fault.ClassSerialization, again, exclude},
		{postgres("40002"), fault.ClassIntegrity, stop, success},
		{postgres("40003"), fault.ClassUnknown, ambiguous, failure},
		{postgres("08007"), fault.ClassConnectionLost, ambiguous, failure},
		{postgres("40000"), fault.ClassSerialization, again, success},
		{postgres("55P03"), fault.ClassLockTimeout, stop, exclude},
		{postgres("55006"), fault.ClassState, stop, exclude},
		{postgres("55000"), fault.ClassState, stop, success},
		{postgresFatal("08001"), fault.ClassConnect, conn, failure},
		{postgresFatal("08004"), fault.ClassConnect, conn, failure},
		{postgres("08000"), fault.ClassConnectionLost, idem, failure},
		{postgres("08003"), fault.ClassConnectionLost, idem, failure},
		{postgres("08006"), fault.ClassConnectionLost, idem, failure},
		{postgresFatal("08P01"), fault.ClassConnectionLost, stopDoubt, failure},
		{postgresFatal("53300"), fault.ClassOverloaded, conn, failure},
		{postgres("53000"), fault.ClassOverloaded, again, failure},
		{postgres("53200"), fault.ClassOverloaded, again, failure},
		{postgresFatal("53200"), fault.ClassOverloaded, idem, failure},
		{postgres("53100"), fault.ClassOverloaded, stop, failure},
		{postgres("53400"), fault.ClassOverloaded, stop, success},
		{postgresFatal("57P01"), fault.ClassServerDown, idem, failure},
		{postgresFatal("57P02"), fault.ClassServerDown, idem, failure},
		{postgresFatal("57P03"), fault.ClassServerDown, conn, failure},
		{postgresFatal("57P04"), fault.ClassNotFound, stopDoubt, failure},
		{postgresFatal("57P05"), fault.ClassConnectionLost, conn, exclude},
		{postgres("3D000"), fault.ClassNotFound, stop, success},
		{postgres("57014"), fault.ClassStatementTimeout, stop, exclude},
		{postgresFatal("25P03"), fault.ClassStatementTimeout, elsewhere, exclude},
		{postgresFatal("25P04"), fault.ClassStatementTimeout, elsewhere, exclude},
		{postgres("25P02"), fault.ClassState, stop, exclude},
		{postgres("25006"), fault.ClassReadOnly, elsewhere, exclude},
		{postgres("26000"), fault.ClassState, again, success},
		{postgres("42P05"), fault.ClassState, again, success},
		{postgres("0A000"), fault.ClassUnsupported, stop, success},
		{postgres("28P01"), fault.ClassAuth, stop, success},
		{postgres("28000"), fault.ClassAuth, stop, success},
		{postgres("58000"), fault.ClassUnknown, stop, failure},
		{postgres("58030"), fault.ClassUnknown, stop, failure},
		{postgres("XX000"), fault.ClassUnknown, stop, failure},
		{postgres("XX002"), fault.ClassUnknown, stop, failure},
		{postgres("22003"), fault.ClassData, stop, success},
		{postgres("23505"), fault.ClassIntegrity, stop, success},
		{postgres("23P01"), fault.ClassIntegrity, stop, success},
		{postgres("42601"), fault.ClassSyntax, stop, success},
		{postgres("42P01"), fault.ClassNotFound, stop, success},
		{postgres("42501"), fault.ClassPermission, stop, success},
		{postgres("44000"), fault.ClassIntegrity, stop, success},
		{postgres("P0001"), fault.ClassUnknown, stop, success},
		{postgres("ZZ999"), fault.ClassUnknown, stop, success},
	})
}

func TestMySQLErrors(t *testing.T) {
	t.Parallel()
	checkTable(t, []row{
		{mysql(1213), fault.ClassDeadlock, again, exclude},
		{mysql(1614), fault.ClassDeadlock, again, exclude},
		{mysql(1205), fault.ClassLockTimeout, wait, exclude},
		{mysql(3572), fault.ClassLockTimeout, stop, exclude},
		{mysql(1020), fault.ClassSerialization, again, exclude},
		{mysql(3101), fault.ClassSerialization, again, exclude},
		{mysql(1613), fault.ClassSerialization, again, exclude},
		{mysql(1180), fault.ClassUnknown, ambiguous, failure},
		{&MySQLError{Number: 1180, Message: "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT"}, fault.ClassSerialization, again, exclude},
		{mysql(1047), fault.ClassServerDown, idem, failure},
		{mysql(1053), fault.ClassServerDown, idem, failure},
		{mysql(1152), fault.ClassConnectionLost, idem, failure},
		{mysql(1040), fault.ClassOverloaded, conn, failure},
		{mysql(1203), fault.ClassOverloaded, conn, failure},
		{mysql(1226), fault.ClassOverloaded, conn, failure},
		{mysql(1158), fault.ClassConnectionLost, idem, failure},
		{mysql(1161), fault.ClassConnectionLost, idem, failure},
		{mysql(2006), fault.ClassConnectionLost, idem, failure},
		{mysql(2013), fault.ClassConnectionLost, idem, failure},
		{mysql(4031), fault.ClassConnectionLost, conn, exclude},
		{mysql(1927), fault.ClassConnectionLost, idem, exclude},
		{mysql(3169), fault.ClassConnectionLost, idem, exclude},
		{&MySQLError{Number: 1290, Message: "running with the --read-only option"}, fault.ClassReadOnly, elsewhere, exclude},
		{&MySQLError{Number: 1290, Message: "running with the --secure-file-priv option"}, fault.ClassUnsupported, stopDoubt, success},
		{mysql(1792), fault.ClassReadOnly, elsewhere, exclude},
		{mysql(1836), fault.ClassReadOnly, elsewhere, exclude},
		{mysql(1317), fault.ClassCanceled, stopDoubt, exclude},
		{mysql(3024), fault.ClassStatementTimeout, stopDoubt, exclude},
		{mysql(1969), fault.ClassStatementTimeout, stopDoubt, exclude},
		{mysql(1615), fault.ClassState, againHere, success},
		{mysql(1206), fault.ClassOverloaded, againHere, failure},
		{mysql(1037), fault.ClassOverloaded, idem, failure},
		{mysql(1041), fault.ClassOverloaded, idem, failure},
		{mysql(1038), fault.ClassOverloaded, againHere, failure},
		{mysql(1114), fault.ClassOverloaded, stopDoubt, failure},
		{mysql(1044), fault.ClassPermission, stopDoubt, success},
		{mysql(1045), fault.ClassAuth, stopDoubt, success},
		{mysql(1049), fault.ClassNotFound, stopDoubt, success},
		{mysql(1129), fault.ClassConnect, stopDoubt, success},
		{mysql(1130), fault.ClassAuth, stopDoubt, success},
		{mysql(1062), fault.ClassIntegrity, stop, success},
		{mysql(4025), fault.ClassIntegrity, stop, success},
		{mysql(1264), fault.ClassData, stopDoubt, success},
		{mysql(1064), fault.ClassSyntax, stopDoubt, success},
		{mysql(1146), fault.ClassNotFound, stopDoubt, success},
		{mysql(1054), fault.ClassNotFound, stopDoubt, success},
		{mysql(1142), fault.ClassPermission, stopDoubt, success},
		{mysql(65000), fault.ClassUnknown, stopDoubt, success},
	})
}

func TestSQLiteErrors(t *testing.T) {
	t.Parallel()
	checkTable(t, []row{
		{sqlite(5), fault.ClassLockTimeout, wait, exclude},
		{sqlite(261), fault.ClassLockTimeout, wait, exclude},
		{sqlite(773), fault.ClassLockTimeout, wait, exclude},
		{sqlite(517), fault.ClassSerialization, again, exclude},
		{sqlite(6), fault.ClassLockTimeout, again, exclude},
		{sqlite(262), fault.ClassLockTimeout, again, exclude},
		{sqlite(518), fault.ClassLockTimeout, again, exclude},
		{sqlite(15), fault.ClassLockTimeout, again, success},
		{sqlite(17), fault.ClassState, again, success},
		{sqlite(9), fault.ClassCanceled, stopDoubt, exclude},
		{sqlite(8), fault.ClassReadOnly, stop, failure},
		{sqlite(1032), fault.ClassReadOnly, stop, failure},
		{sqlite(7), fault.ClassOverloaded, stopDoubt, failure},
		{sqlite(266), fault.ClassUnknown, stopDoubt, failure},
		{sqlite(13), fault.ClassOverloaded, stop, failure},
		{sqlite(14), fault.ClassConnect, stopDoubt, failure},
		{sqlite(11), fault.ClassUnknown, stopDoubt, failure},
		{sqlite(26), fault.ClassUnknown, stopDoubt, failure},
		{sqlite(21), fault.ClassState, stopDoubt, success},
		{sqlite(19), fault.ClassIntegrity, stop, success},
		{sqlite(2067), fault.ClassIntegrity, stop, success},
		{sqlite(787), fault.ClassIntegrity, stop, success},
		{sqlite(1), fault.ClassSyntax, stopDoubt, success},
		{sqlite(20), fault.ClassData, stopDoubt, success},
		{sqlite(23), fault.ClassPermission, stopDoubt, success},
		{sqlite(25), fault.ClassData, stopDoubt, success},
		{sqlite(99), fault.ClassUnknown, stopDoubt, success},
	})
}

func TestPostgresErrorsThatShareACode(t *testing.T) {
	t.Parallel()
	cached := fault.Of(postgresMessage("0A000", "cached plan must not change result type", ""), fault.Situation{})
	if cached.Retry != fault.RetryStatement || cached.Class != fault.ClassState {
		t.Errorf("a cached plan's error got %+v", cached)
	}
	translated := fault.Of(postgresMessage("0A000", "gecachter Plan", "RevalidateCachedQuery"), fault.Situation{InTx: true})
	if translated.Retry != fault.RetryTransaction {
		t.Errorf("a cached plan's error in another language got %+v", translated)
	}
	canceled := fault.Of(postgresMessage("57014", "canceling statement due to user request", ""), fault.Situation{})
	if canceled.Class != fault.ClassCanceled {
		t.Errorf("a cancel request got %+v", canceled)
	}
}

func TestRefusedLoginCountsOnlyWhileConnecting(t *testing.T) {
	t.Parallel()
	for _, err := range []error{postgres("28P01"), postgres("3D000"), mysql(1044), mysql(1045), mysql(1049), mysql(1129), mysql(1130)} {
		for s, want := range map[fault.Situation]fault.Breaker{
			{Phase: fault.PhaseConnect}:            failure,
			{Phase: fault.PhaseAcquire}:            failure,
			{Progress: fault.ProgressUnsent}:       failure,
			{}:                                     success, // LOAD DATA without the privilege, say
			{Phase: fault.PhaseUnit, InTx: true}:   success,
			{Phase: fault.PhaseCommit, InTx: true}: success,
		} {
			if v := fault.Of(err, s); v.Breaker != want || v.Retry != fault.RetryNone {
				t.Errorf("%v in %+v: got %+v", err, s, v)
			}
		}
	}
}
