package fault_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy/fault"
)

func TestErrorsOfTheLibraryAndOfDatabaseSQL(t *testing.T) {
	t.Parallel()
	scan := fmt.Errorf("sql: Scan error on column index 0, name %q: %w", "id", errors.New("converting NULL to int is unsupported"))
	for _, c := range []struct {
		err  error
		want fault.Verdict
	}{
		{sql.ErrNoRows, fault.Verdict{Class: fault.ClassNotFound, Outcome: fault.OutcomeDone, Breaker: success, Answered: true}},
		{pgx.ErrNoRows, fault.Verdict{Class: fault.ClassNotFound, Outcome: fault.OutcomeDone, Breaker: success, Answered: true}},
		{scan, fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeDone, Breaker: success, Answered: true}},
		{pgx.ScanArgError{ColumnIndex: 1, Err: io.ErrNoProgress}, fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeDone, Breaker: success, Answered: true}},
		{errors.New("sql: expected 2 destination arguments in Scan, not 1"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeDone, Breaker: success, Answered: true}},
		{pgx.ErrTooManyRows, fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeDone, Breaker: success, Answered: true}},
		{errors.New("sql: converting argument $1 type: unsupported type"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{errors.New("failed to encode args[0]: no plan"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{fmt.Errorf("error preprocessing batch (build): %w", errors.New("mismatched param and argument count")), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{errors.New("expected 1 arguments, got 2"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{errors.New("sql: expected 1 arguments, got 2"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{errors.New("pq: got 2 parameters but the statement requires 1"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{errors.New("expected a miracle"), fault.Verdict{Class: fault.ClassUnknown}},
		{errors.New("insufficient arguments"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{errors.New("unused argument: 1"), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{fmt.Errorf("rewrite query failed: %w", errors.New("no such name")), fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}},
		{sql.ErrTxDone, fault.Verdict{Class: fault.ClassState, Outcome: fault.OutcomeNotSent}},
		{sql.ErrConnDone, fault.Verdict{Class: fault.ClassState, Outcome: fault.OutcomeNotSent}},
		{pgx.ErrTxClosed, fault.Verdict{Class: fault.ClassState, Outcome: fault.OutcomeNotSent}},
		{errors.New("sql: database is closed"), fault.Verdict{Class: fault.ClassState, Outcome: fault.OutcomeNotSent}},
		{errors.New("closed pool"), fault.Verdict{Class: fault.ClassState, Outcome: fault.OutcomeNotSent}},
		{errors.New("busy buffer"), fault.Verdict{Class: fault.ClassState, Outcome: fault.OutcomeNotSent, DiscardConn: true}},
		{driver.ErrSkip, fault.Verdict{Class: fault.ClassUnsupported, Outcome: fault.OutcomeNotSent}},
		{fmt.Errorf("begin: %w", errors.ErrUnsupported), fault.Verdict{Class: fault.ClassUnsupported, Outcome: fault.OutcomeNotSent}},
		{fault.ErrRejected, fault.Verdict{Class: fault.ClassRejected, Outcome: fault.OutcomeNotSent}},
		{fault.ErrPoolTimeout, fault.Verdict{Class: fault.ClassPoolTimeout, Retry: reconnect, Outcome: fault.OutcomeNotSent, Slow: true}},
		{fmt.Errorf("%w: %w", fault.ErrPoolTimeout, context.DeadlineExceeded), fault.Verdict{Class: fault.ClassPoolTimeout, Retry: reconnect, Outcome: fault.OutcomeNotSent, Slow: true}},
		{errors.New("odd"), fault.Verdict{Class: fault.ClassUnknown}},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			t.Parallel()
			if got := fault.Of(c.err, fault.Situation{}); got != c.want {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestRefusalIsNeverRepeated(t *testing.T) {
	t.Parallel()
	open := fmt.Errorf("breaker: open: %w", fault.ErrRejected)
	for phase := range fault.PhaseUnit + 1 {
		if v := fault.Of(open, fault.Situation{Phase: phase, Idempotent: true}); v.Retry != fault.RetryNone || v.Class != fault.ClassRejected || v.Breaker != exclude {
			t.Errorf("%v: got %+v", phase, v)
		}
	}
	v := fault.Of(errors.Join(postgres("40001"), open), fault.Situation{})
	if v.Class != fault.ClassSerialization || v.Retry != fault.RetryNone {
		t.Errorf("behind the database's error: got %+v", v)
	}
}

func TestErrorOfAConnectThatNoTableKnows(t *testing.T) {
	t.Parallel()
	v := fault.Of(errors.New("TLS requested but server does not support TLS"), fault.Situation{Phase: fault.PhaseConnect})
	want := fault.Verdict{Class: fault.ClassConnect, Outcome: fault.OutcomeNotSent, Breaker: failure}
	if v != want {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func TestDatabasesErrorCountsMostInATree(t *testing.T) {
	t.Parallel()
	deep := fmt.Errorf("repository: %w", errors.Join(errors.New("rollback failed"), fmt.Errorf("insert: %w", postgres("23505"))))
	if v := fault.Of(deep, fault.Situation{}); v.Class != fault.ClassIntegrity {
		t.Errorf("got %+v", v)
	}
	if code := fault.Code(deep); code != "23505" {
		t.Errorf("code is %q", code)
	}
	two := errors.Join(mysql(1213), mysql(1062))
	if code := fault.Code(two); code != "1213" {
		t.Errorf("code of two errors is %q, want the first", code)
	}
}

func TestBrokenConnectionBesideAnotherErrorLeavesDoubt(t *testing.T) {
	t.Parallel()
	// A later attempt could not connect; an earlier one may have been sent.
	v := fault.Of(errors.Join(refused, io.EOF), fault.Situation{})
	if v.Retry != fault.RetryNone || v.Outcome != fault.OutcomeUnknown {
		t.Errorf("got %+v", v)
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"":      errors.New("odd"),
		"40001": postgres("40001"),
		"1062":  mysql(1062),
		"2067":  sqlite(2067),
		"5":     fmt.Errorf("wrapped: %w", sqlite(5)),
		"57P01": &fault.ConnLostError{Err: errors.Join(driver.ErrBadConn, postgresFatal("57P01"))},
	} {
		if got := fault.Code(err); got != want {
			t.Errorf("Code(%v) is %q, want %q", err, got, want)
		}
	}
	if fault.Code(nil) != "" {
		t.Error("success has a code")
	}
	if code := fault.Code(oddState{}); code != "" {
		t.Errorf("a state that is no SQLSTATE got code %q", code)
	}
}

// oddState is an error with a method of the same name and another meaning.
type oddState struct{}

func (oddState) Error() string    { return "odd" }
func (oddState) SQLState() string { return "off" }
