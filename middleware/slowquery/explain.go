package slowquery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// explainFunc asks for the plan of a call's statement.
type explainFunc func(ctx context.Context, call *sp.Call) (plan string, err error)

// WithExplain adds what explain returns to the record: the server's plan for
// the statement, such as the lines of PostgreSQL's EXPLAIN, obtained on a
// separate handle whose chain has no slowquery. It is called once per record,
// for statements that only read, outside transactions and units of work; it
// gets the arguments, which it must not return. It runs on the caller's
// goroutine after the call, for at most five seconds, and delays the caller. If
// it fails, the type of the error is written in place of the plan.
func WithExplain(explain func(ctx context.Context, text string, args sp.Args) (plan string, err error)) Option {
	return optionFunc(func(c *config) error {
		if explain == nil {
			return errors.New("slowquery: WithExplain(nil): want a function")
		}
		c.explain = func(ctx context.Context, call *sp.Call) (string, error) { return explain(ctx, call.Text, call.Args) }
		return nil
	})
}

// explainLimit is how long a plan may take.
const explainLimit = 5 * time.Second

const planKey = "sessionproxy.plan"

// A Querier runs queries, as *sql.DB and *sql.Conn do.
type Querier interface {
	// QueryContext is that of [sql.DB].
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// WithPostgresExplain is [WithExplain] for PostgreSQL: the plan is the text
// output of EXPLAIN on db for the same arguments. The statement does not run
// again: there is no ANALYZE. Values in conditions, which come from the
// arguments, are replaced by question marks. db must be a handle whose chain
// has no slowquery; for a pgx pool, make one with stdlib.OpenDBFromPool.
// Statements for other systems get no plan.
func WithPostgresExplain(db Querier) Option {
	return optionFunc(func(c *config) error {
		if db == nil {
			return errors.New("slowquery: WithPostgresExplain(nil): want a database")
		}
		c.explain = func(ctx context.Context, call *sp.Call) (string, error) {
			if call.Target == nil || call.Target.System != sp.PostgreSQL {
				return "", nil
			}
			return explainPostgres(ctx, db, call)
		}
		return nil
	})
}

// explainPostgres returns the plan of a call's statement.
func explainPostgres(ctx context.Context, db Querier, call *sp.Call) (string, error) {
	args := make([]any, call.Args.Len())
	for i := range args {
		name, value := call.Args.At(i)
		if args[i] = value; name != "" {
			args[i] = sql.Named(name, value)
		}
	}
	rows, err := db.QueryContext(ctx, "EXPLAIN (FORMAT JSON) "+call.Text, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var answer []byte
	for rows.Next() {
		if err := rows.Scan(&answer); err != nil {
			return "", err
		}
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	return textOfPlan(answer)
}

// plan returns the server's plan, or what went wrong; "" if it is not asked for.
func (h *handler) plan(ctx context.Context, call *sp.Call) string {
	if h.explain == nil || call.Op == sp.OpBatch || call.Op == sp.OpCopy || call.InTx || !call.IsEntry() {
		return ""
	}
	if a := sqltext.AccessOf(telemetry.DialectOf(call.Target), call.Text); !a.ReadOnly || !a.Single {
		return ""
	}
	// Not with the call's context: what explain runs is no part of the call.
	ctx, cancel := context.WithTimeout(trace.ContextWithSpanContext(context.Background(), trace.SpanContextFromContext(ctx)), explainLimit)
	defer cancel()
	plan, err := h.explain(ctx, call)
	if err != nil {
		return fmt.Sprintf("none: %T", err)
	}
	return plan
}
