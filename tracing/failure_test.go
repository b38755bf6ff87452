package tracing_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// stateError is an error as PostgreSQL's drivers make them. Its message holds
// what a row holds.
type stateError string

func (e stateError) SQLState() string { return string(e) }

func (e stateError) Error() string {
	return "ERROR: Key (email)=(s3cr3t) already exists (SQLSTATE " + string(e) + ")"
}

// oddError is an error that nobody knows.
type oddError struct{}

func (*oddError) Error() string { return "odd: s3cr3t" }

func TestFailureIsRecordedByCodeAndClass(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err                      error
		kind, code, class, shown string
	}{
		"SQLSTATE":         {stateError("23505"), "23505", "23505", "integrity", "integrity (23505)"},
		"wrapped SQLSTATE": {fmt.Errorf("x: %w", stateError("40001")), "40001", "40001", "serialization", "serialization (40001)"},
		"class":            {fmt.Errorf("x: %w", fault.ErrRejected), "rejected", "", "rejected", "rejected"},
		"deadline":         {context.DeadlineExceeded, "timeout", "", "timeout", "timeout"},
		"type":             {&oddError{}, "*tracing_test.oddError", "", "unknown", "unknown"},
		"wrapped type":     {fmt.Errorf("x: %w", &oddError{}), "*tracing_test.oddError", "", "unknown", "unknown"},
		"nothing at all":   {errors.New("s3cr3t"), "_OTHER", "", "unknown", "unknown"},
		"several":          {errors.Join(errors.New("s3cr3t"), errors.New("b")), "_OTHER", "", "unknown", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := observed(t, failing(call(sp.OpExec, "DELETE FROM t"), tc.err))
			if s.status != codes.Error || s.description != tc.shown {
				t.Errorf("status %v %q, want %q", s.status, s.description, tc.shown)
			}
			if got := s.attr("error.type"); got != tc.kind {
				t.Errorf("error.type %q, want %q", got, tc.kind)
			}
			if got := s.attr("db.response.status_code"); got != tc.code {
				t.Errorf("status code %q, want %q", got, tc.code)
			}
			if got := s.attr("sessionproxy.fault.class"); got != tc.class {
				t.Errorf("class %q, want %q", got, tc.class)
			}
			if strings.Contains(s.dump(), "s3cr3t") {
				t.Errorf("the error's message is recorded:\n%s", s.dump())
			}
		})
	}
}

func TestEventsDoNotTellMessagesOfErrors(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	_, _ = run(t.Context(), failing(call(sp.OpExec, "DELETE FROM t"), stateError("40P01")), newTracing(t, r), retrying(3))
	s := only(t, r)
	if len(s.events) != 2 || strings.Contains(s.dump(), "s3cr3t") {
		t.Errorf("got\n%s", s.dump())
	}
	if got := lookup(s.events[0].attributes, "sessionproxy.fault.class"); got != "deadlock" {
		t.Errorf("class %q, want deadlock", got)
	}
}

func TestErrorMessagesAreRecordedOnRequest(t *testing.T) {
	t.Parallel()
	err := stateError("23505")
	s := observed(t, failing(call(sp.OpExec, "DELETE FROM t"), err), tracing.WithErrorMessages())
	if s.description != err.Error() {
		t.Errorf("description %q, want the message", s.description)
	}
}

func TestWhatIsNoFailure(t *testing.T) {
	t.Parallel()
	never := tracing.WithErrorStatus(func(error) bool { return false })
	always := tracing.WithErrorStatus(func(error) bool { return true })
	for name, tc := range map[string]struct {
		err    error
		opts   []tracing.Option
		failed bool
	}{
		"no rows":              {sql.ErrNoRows, nil, false},
		"wrapped no rows":      {fmt.Errorf("x: %w", sql.ErrNoRows), nil, false},
		"skip":                 {driver.ErrSkip, nil, false},
		"no rows, if wanted":   {sql.ErrNoRows, []tracing.Option{always}, true},
		"anything, if wanted":  {stateError("23505"), []tracing.Option{never}, false},
		"cancelled by others":  {context.Canceled, []tracing.Option{tracing.WithoutCanceledErrors()}, true},
		"deadline":             {context.DeadlineExceeded, []tracing.Option{tracing.WithoutCanceledErrors()}, true},
		"an error of the rest": {stateError("23505"), []tracing.Option{tracing.WithoutCanceledErrors()}, true},
	} {
		s := observed(t, failing(call(sp.OpQuery, "SELECT 1"), tc.err), tc.opts...)
		if failed := s.status == codes.Error; failed != tc.failed || (s.attr("error.type") != "") != tc.failed {
			t.Errorf("%s: failed %v, want %v\n%s", name, failed, tc.failed, s.dump())
		}
	}
}

func TestCancellationByTheCaller(t *testing.T) {
	t.Parallel()
	for _, tolerated := range []bool{false, true} {
		r := &recorder{}
		var opts []tracing.Option
		if tolerated {
			opts = append(opts, tracing.WithoutCanceledErrors())
		}
		ctx, cancel := context.WithCancel(t.Context())
		c := doing(call(sp.OpExec, "SELECT 1"), func(ctx context.Context, c *sp.Call) error {
			cancel()
			c.Judge(ctx, ctx.Err(), c.Op.Phase(), fault.ProgressSent)
			return ctx.Err()
		})
		_, _ = run(ctx, c, newTracing(t, r, opts...))
		s := only(t, r)
		if failed := s.status == codes.Error; failed == tolerated {
			t.Errorf("tolerated %v: failed %v\n%s", tolerated, failed, s.dump())
		}
		if !tolerated && s.attr("error.type") != "canceled" {
			t.Errorf("error.type %q, want canceled", s.attr("error.type"))
		}
	}
}
