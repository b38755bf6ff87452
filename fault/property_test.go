package fault_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// hostile is an error whose methods panic or loop; a nil one panics all the
// more.
type hostile struct{ how int }

func (h *hostile) Error() string { panic(h.how) }

func (h *hostile) Unwrap() error {
	if h.how == 0 {
		panic("unwrap")
	}
	return h
}

func (h *hostile) Is(error) bool { panic(h.how) }

// uncomparable is an error that == panics for.
type uncomparable []error

func (uncomparable) Error() string     { return "uncomparable" }
func (u uncomparable) Unwrap() []error { return u }

// endless unwraps to two of its like.
type endless struct{}

func (endless) Error() string   { return "endless" }
func (endless) Unwrap() []error { return []error{endless{}, endless{}} }

// leaf draws an error that wraps nothing.
func leaf(t *rapid.T) error {
	code := func(kind string, codes ...string) string { return rapid.SampledFrom(codes).Draw(t, kind) }
	switch rapid.IntRange(0, 7).Draw(t, "leaf") {
	case 0:
		return &pgconn.PgError{
			Severity: code("severity", "ERROR", "FATAL", ""),
			Code:     code("sqlstate", "40001", "40P01", "55P03", "57P01", "57014", "08006", "08007", "40003", "23505", "25006", "25P03", "53300", "57P05", "XX000", "0", "zz"),
		}
	case 1:
		n, _ := strconv.ParseUint(code("number", "1213", "1205", "1020", "1180", "1290", "1053", "1040", "1317", "1927", "4031", "1062", "1615", "0"), 10, 16)
		return mysql(uint16(n))
	case 2:
		n, _ := strconv.Atoi(code("result", "5", "517", "6", "9", "10", "13", "17", "19", "0"))
		return sqlite(n)
	case 3:
		return rapid.SampledFrom([]error{io.EOF, driver.ErrBadConn, refused, reset, sql.ErrTxDone, sql.ErrNoRows, context.Canceled, context.DeadlineExceeded}).Draw(t, "sentinel")
	case 4:
		return rapid.SampledFrom([]error{fault.ErrAttemptTimeout, fault.ErrRejected, fault.ErrPoolTimeout, fault.ErrCommitUnknown}).Draw(t, "own")
	case 5:
		return rapid.SampledFrom([]error{(*hostile)(nil), &hostile{}, &hostile{1}, endless{}, (*pgconn.PgError)(nil), (*MySQLError)(nil), (*fault.ConnLostError)(nil), (*fault.CommitError)(nil)}).Draw(t, "hostile")
	case 6:
		return nil
	}
	return errors.New(code("text", "invalid connection", "tx is closed", "sql: Scan error on column index 0", "odd", ""))
}

// wrap hides a panic of a leaf's Error, which is no business of Of.
type wrap struct{ err error }

func (wrap) Error() string   { return "wrapped" }
func (w wrap) Unwrap() error { return w.err }

// tree draws an error of some depth.
func tree(t *rapid.T, depth int) error {
	if depth == 0 {
		return leaf(t)
	}
	switch rapid.IntRange(0, 4).Draw(t, "node") {
	case 0:
		return wrap{tree(t, depth-1)}
	case 1:
		return errors.Join(tree(t, depth-1), tree(t, depth-1))
	case 2:
		return uncomparable{tree(t, depth-1), nil, tree(t, depth-1)}
	case 3:
		return &fault.ConnLostError{Err: tree(t, depth-1)}
	}
	return leaf(t)
}

func situation(t *rapid.T) fault.Situation {
	return fault.Situation{
		Phase:      rapid.SampledFrom([]fault.Phase{0, 1, 2, 3, 4, 5, 6, 7, 8}).Draw(t, "phase"),
		Progress:   rapid.SampledFrom([]fault.Progress{0, 1, 2, 3}).Draw(t, "progress"),
		Idempotent: rapid.Bool().Draw(t, "idempotent"),
		InTx:       rapid.Bool().Draw(t, "in transaction"),
		Cause:      rapid.SampledFrom([]error{nil, nil, nil, context.Canceled, context.DeadlineExceeded, fault.ErrAttemptTimeout, errors.New("own")}).Draw(t, "cause"),
	}
}

// TestRulesHoldForAllTrees draws errors and situations and holds the verdict
// against the rules that no table overrides.
func TestRulesHoldForAllTrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		err, s := tree(t, 3), situation(t)
		v := fault.Of(err, s)
		_ = fault.Code(err)
		_, _ = integrity.Of(err)
		if err == nil {
			return
		}
		for rule, broken := range brokenRules(s, v) {
			if broken {
				t.Fatalf("%s: %+v gave %+v", rule, s, v)
			}
		}
	})
}

func brokenRules(s fault.Situation, v fault.Verdict) map[string]bool {
	retried := v.Retry != fault.RetryNone
	gaveUp := s.Cause != nil && !errors.Is(s.Cause, fault.ErrAttemptTimeout)
	repeatable := v.Outcome == fault.OutcomeNotSent || v.Outcome == fault.OutcomeRolledBack
	harmless := s.Idempotent || s.Phase >= fault.PhaseConnect && s.Phase <= fault.PhasePrepare
	return map[string]bool{
		"a statement in a transaction is never repeated alone":    (s.InTx || s.Phase == fault.PhaseUnit) && retried && v.Retry != fault.RetryTransaction,
		"a COMMIT whose outcome is unknown is never repeated":     s.Phase == fault.PhaseCommit && retried && !repeatable,
		"a write of unknown outcome is repeated only if harmless": !s.InTx && s.Phase != fault.PhaseUnit && retried && !repeatable && !harmless,
		"a caller that gave up is never retried nor counted":      gaveUp && (retried || v.Breaker != fault.BreakerExclude),
		"an unknown error is never repeated":                      v.Class == fault.ClassUnknown && retried,
		"a refusal is never repeated":                             v.Class == fault.ClassRejected && retried,
		"an error has a class":                                    v.Class == fault.ClassNone,
		"an answer is no failure of the server":                   v.Answered && v.Breaker == fault.BreakerFailure,
		"rows are not read twice":                                 s.Phase == fault.PhaseRows && retried,
		"a rollback is not repeated":                              s.Phase == fault.PhaseRollback && retried,
	}
}

func TestHostileErrorHidesNoOther(t *testing.T) {
	t.Parallel()
	for _, bad := range []error{(*hostile)(nil), &hostile{}, uncomparable{nil}, (*pgconn.PgError)(nil), (*MySQLError)(nil)} {
		err := uncomparable{bad, fmt.Errorf("exec: %w", postgres("40001"))}
		if v := fault.Of(err, fault.Situation{}); v.Class != fault.ClassSerialization {
			t.Errorf("beside a %T: got %+v", bad, v)
		}
	}
}

func TestErrorThatWrapsItselfEnds(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&hostile{1}, endless{}, &fault.ConnLostError{Err: endless{}}} {
		if v := fault.Of(err, fault.Situation{}); v.Retry != fault.RetryNone {
			t.Errorf("%T: got %+v", err, v)
		}
	}
}
