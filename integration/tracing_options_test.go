package integration_test

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/codes"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// TestSpansAreMadeAsAsked names, filters and fills spans by hooks and lists.
func TestSpansAreMadeAsAsked(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		c := collect(t)
		c.tracing = must(tracing.New(tracing.WithTracerProvider(c.traces), tracing.WithRowsReturned(),
			tracing.WithQueryParameters("0"),
			tracing.WithFilter(func(_ context.Context, call *sp.Call) bool { return !strings.HasPrefix(call.Text, "CREATE") }),
			tracing.WithSpanNameFunc(func(_ context.Context, call *sp.Call) string {
				if call.Op == sp.OpQuery {
					return "read"
				}
				return ""
			})))
		db := d.open(t, c.tracing)
		mustExec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(80))")
		if left := named(c.take(), "CREATE TABLE users"); len(left) != 0 {
			t.Errorf("spans %v of what the filter refuses", names(left))
		}
		for id, level := range map[int]executor{1: db, 2: db.DB} {
			must(level.ExecContext(t.Context(), d.bind("INSERT INTO users VALUES (?, ?)"), id, "s3cr3t"))
			spans := c.take()
			if len(spans) != 1 || spans[0].Name != "INSERT users" || attr(spans[0], "db.query.parameter.0") != strconv.Itoa(id) {
				t.Fatalf("spans %v", spans)
			}
			noSecrets(t, spans)
		}
		if n := scalar[int](t, db, d.bind("SELECT id FROM users WHERE id < ?"), 2); n != 1 {
			t.Fatal(n)
		}
		spans := c.take()
		if len(spans) != 1 || spans[0].Name != "read" || attr(spans[0], "db.response.returned_rows") != "1" || attr(spans[0], "db.query.parameter.0") != "2" {
			t.Errorf("spans %v", spans)
		}
	})
}

func TestNamedParametersArePickedByName(t *testing.T) {
	t.Parallel()
	c := collect(t)
	c.tracing = must(tracing.New(tracing.WithTracerProvider(c.traces), tracing.WithQueryParameters("id")))
	pool := openPGX(t, dbtest.Postgres(t).Database(t).URL(), []sp.Interceptor{c.tracing})
	must(pool.Exec(t.Context(), "SELECT @id::int, @email::text", pgx.NamedArgs{"id": 7, "email": "s3cr3t"}))
	db := databases[3].open(t, c.tracing)
	must(db.ExecContext(t.Context(), "SELECT :id, :email", sql.Named("id", 7), sql.Named("email", "s3cr3t")))
	must(db.DB.ExecContext(t.Context(), "SELECT :id, :email", sql.Named("id", 7), sql.Named("email", "s3cr3t")))
	spans := c.take()
	noSecrets(t, spans)
	if statements := named(spans, "SELECT"); len(statements) != 3 {
		t.Errorf("spans %v, want three of statements", names(spans))
	} else {
		for _, s := range statements {
			if attr(s, "db.query.parameter.id") != "7" {
				t.Errorf("attributes %v", s.Attributes)
			}
		}
	}
}

func TestTimeInAQueueIsOnTheSpan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that the wait is exact
		c := collect(t)
		db := databases[3].open(t, c.tracing, must(ratelimit.New(4, 1)))
		mustExec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "DELETE FROM users")
		s := named(c.take(), "DELETE users")
		if len(s) != 1 || attr(s[0], "sessionproxy.queue.wait_time") != "0.25" || s[0].EndTime.Sub(s[0].StartTime) < 250*time.Millisecond {
			t.Errorf("spans %v, want one that has waited for 0.25 s", s)
		}
	})
}

// TestEveryAttemptCanHaveASpan provokes a real serialization failure under two
// tracings, one around the retry and one inside.
func TestEveryAttemptCanHaveASpan(t *testing.T) {
	t.Parallel()
	c := collect(t)
	inner := must(tracing.New(tracing.WithTracerProvider(c.traces)))
	d := databases[0]
	db := d.open(t, c.tracing, must(retry.New()), inner)
	bank(t, d, db)
	c.take()
	runs := 0
	err := db.RunInTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable}, func(ctx context.Context, tx *sql.Tx) error {
		runs++
		if err := transfer(ctx, d, tx, 0, 1, 1); err != nil || runs > 1 {
			return err
		}
		mustExec(t, db.DB, "UPDATE accounts SET balance = balance + 1 WHERE id = 2") // a second writer
		_, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance + 1 WHERE id = 2")
		return err
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, error %v", runs, err)
	}
	units := named(c.take(), "transaction")
	if len(units) != 3 {
		t.Fatalf("%d spans of the unit, want its own and two attempts", len(units))
	}
	whole := units[2]
	for i, attempt := range units[:2] {
		failed := attempt.Status.Code == codes.Error
		if attempt.Parent.SpanID() != whole.SpanContext.SpanID() || attr(attempt, "sessionproxy.attempt") != strconv.Itoa(i+1) || failed != (i == 0) {
			t.Errorf("attempt %d: parent %v, status %v, attributes %v", i+1, attempt.Parent.SpanID(), attempt.Status, attempt.Attributes)
		}
	}
	if whole.Status.Code == codes.Error || attr(whole, "sessionproxy.attempt") != "" {
		t.Errorf("the whole: status %v, attributes %v", whole.Status, whole.Attributes)
	}
}
