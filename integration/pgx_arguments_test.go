package integration_test

import (
	"context"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestArgumentsThatPGXCantSend asks database/sql on pgx for what pgx refuses: it
// is the caller's mistake, and nothing was sent.
func TestArgumentsThatPGXCantSend(t *testing.T) {
	t.Parallel()
	var verdicts []fault.Verdict
	watch := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := next(ctx, call)
			if err != nil {
				verdicts = append(verdicts, call.Verdict(err))
			}
			return err
		}
	})
	db := must(sqldb.Open("pgx", dbtest.Postgres(t).Database(t).DSN(), sp.NewChain(watch)))
	defer db.Close()
	for _, args := range [][]any{{struct{ A int }{1}}, {"7", "8"}, {}} {
		verdicts = nil
		for range 2 { // not prepared yet, and prepared
			if err := db.QueryRowContext(t.Context(), "SELECT $1::int4", args...).Scan(new(int)); err == nil {
				t.Errorf("%v were sent", args)
			}
		}
		if len(verdicts) != 2 {
			t.Errorf("%v: the chain saw %d errors, want 2", args, len(verdicts))
		}
		for _, v := range verdicts {
			if v.Class != fault.ClassData || v.Outcome != fault.OutcomeNotSent || v.Retry != fault.RetryNone {
				t.Errorf("%v: %+v", args, v)
			}
		}
	}
}
