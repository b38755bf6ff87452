package integration_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestArgumentsThatPGXCantSend asks in every way for what pgx and lib/pq refuse, or
// the server in their place: it is the caller's mistake.
func TestArgumentsThatPGXCantSend(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t).Database(t).DSN()
	check := func(t *testing.T, query func(watch sp.Interceptor) func(args []any) error) {
		t.Helper()
		var verdicts []fault.Verdict
		ask := query(sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				err := next(ctx, call)
				if err != nil && call.Op == sp.OpQuery {
					verdicts = append(verdicts, call.Verdict(err))
				}
				return err
			}
		}))
		for _, args := range [][]any{{struct{ A int }{1}}, {"7", "8"}, {}} {
			verdicts = nil
			for range 2 { // not prepared yet, and prepared
				if err := ask(args); err == nil {
					t.Errorf("%v were sent", args)
				}
			}
			if len(verdicts) != 2 {
				t.Errorf("%v: the chain saw %d errors, want 2", args, len(verdicts))
			}
			for _, v := range verdicts {
				// Where the driver asks nothing before it sends, the server answers.
				known := v.Class == fault.ClassData && v.Breaker == fault.BreakerExclude && v.Outcome == fault.OutcomeNotSent ||
					v.Outcome == fault.OutcomeAnswered && v.Answered
				if !known || v.Retry != fault.RetryNone || v.DiscardConn {
					t.Errorf("%v: %+v", args, v)
				}
			}
		}
	}
	for _, c := range []struct{ driver, params string }{
		{"pgx", ""},
		{"pgx", "&default_query_exec_mode=exec"},
		{"pgx", "&default_query_exec_mode=simple_protocol"},
		{"postgres", ""},
		{"postgres", "&binary_parameters=yes"},
	} {
		t.Run(c.driver+c.params, func(t *testing.T) {
			t.Parallel()
			check(t, func(watch sp.Interceptor) func([]any) error {
				db := openDSN(t, c.driver, dsn+c.params, watch)
				return func(args []any) error {
					return db.QueryRowContext(t.Context(), "SELECT $1::int4", args...).Scan(new(int))
				}
			})
		})
	}
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec,
		pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run("pool, "+mode.String(), func(t *testing.T) {
			t.Parallel()
			check(t, func(watch sp.Interceptor) func([]any) error {
				pool := must(pgxdb.NewPool(t.Context(), dsn, sp.NewChain(watch)))
				t.Cleanup(pool.Close)
				return func(args []any) error {
					return pool.QueryRow(t.Context(), "SELECT $1::int4", append([]any{mode}, args...)...).Scan(new(int))
				}
			})
		})
	}
}
