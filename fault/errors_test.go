package fault_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

func TestCommitErrorMatchesItsSentinelAndItsCause(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("run: %w", &fault.CommitError{Err: fmt.Errorf("read: %w", io.EOF)})
	if !errors.Is(err, fault.ErrCommitUnknown) || !errors.Is(err, io.EOF) {
		t.Errorf("%v does not match both", err)
	}
	if !strings.Contains(err.Error(), "verify") || !strings.Contains(err.Error(), "read: EOF") {
		t.Errorf("message %q lacks the cure or the cause", err)
	}
	if errors.Is(&fault.CommitError{}, io.EOF) {
		t.Error("a CommitError without cause matches a cause")
	}
}

func TestConnLostErrorHidesErrBadConnAlone(t *testing.T) {
	t.Parallel()
	fatal := &pgconn.PgError{Severity: "FATAL", Code: "57P01", Message: "terminating connection"}
	err := fmt.Errorf("exec: %w", &fault.ConnLostError{Err: fmt.Errorf("write: %w", errors.Join(driver.ErrBadConn, io.EOF, fatal))})
	if errors.Is(err, driver.ErrBadConn) {
		t.Error("database/sql would send the statement again")
	}
	if !errors.Is(err, io.EOF) {
		t.Error("the error joined to ErrBadConn is lost")
	}
	var found *pgconn.PgError
	if !errors.As(err, &found) || found != fatal {
		t.Error("the server's error is lost")
	}
	if !strings.Contains(err.Error(), "driver: bad connection") {
		t.Errorf("message %q lacks the cause", err)
	}
	var lost *fault.ConnLostError
	if !errors.As(err, &lost) || errors.Unwrap(lost) != nil {
		t.Error("ConnLostError must be found, and must not unwrap")
	}
}

func TestErrorsWithoutCauseHaveAMessage(t *testing.T) {
	t.Parallel()
	for _, err := range []error{(*fault.CommitError)(nil), (*fault.ConnLostError)(nil), &fault.CommitError{}, &fault.ConnLostError{}} {
		if !strings.HasPrefix(err.Error(), "fault: ") || strings.HasSuffix(err.Error(), ": ") {
			t.Errorf("%T: message %q", err, err)
		}
		if errors.Is(err, io.EOF) || errors.As(err, new(*pgconn.PgError)) {
			t.Errorf("%T without cause matches one", err)
		}
	}
}

func TestNamesAreFewAndStable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for c := range fault.ClassCaller + 1 {
		name := c.String()
		if name == "" || seen[name] || strings.ToLower(name) != name || strings.Contains(name, " ") {
			t.Errorf("class %d is called %q", c, name)
		}
		seen[name] = true
	}
	for got, want := range map[string]string{
		(fault.ClassCaller + 1).String():      "invalid",
		fault.ClassConnectionLost.String():    "connection_lost",
		fault.RetryTransaction.String():       "transaction",
		(fault.RetryReconnect + 1).String():   "invalid",
		fault.OutcomeRolledBack.String():      "rolled_back",
		fault.BreakerFailure.String():         "failure",
		fault.PhaseUnit.String():              "unit",
		fault.ProgressUnsent.String():         "unsent",
		integrity.ForeignKey.String():         "foreign key",
		(fault.ProgressAnswered + 1).String(): "invalid",
	} {
		if got != want {
			t.Errorf("name is %q, want %q", got, want)
		}
	}
}
