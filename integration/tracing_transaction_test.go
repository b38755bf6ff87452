package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// transactionSpans is collect with a span for each transaction, and a request
// under whose span everything happens.
func transactionSpans(t *testing.T) (c *telemetry, request context.Context) {
	t.Helper()
	c = collect(t)
	c.tracing = must(tracing.New(tracing.WithTracerProvider(c.traces), tracing.WithTransactionSpans()))
	request, span := c.traces.Tracer("test").Start(t.Context(), "request")
	t.Cleanup(func() { span.End() })
	return c, request
}

// checkTransaction holds that the spans are one transaction, which began
// before and ended after all others, and its children of these names.
func checkTransaction(t *testing.T, spans tracetest.SpanStubs, children ...string) {
	t.Helper()
	all := named(spans, "transaction")
	if len(all) != 1 || len(spans) != len(children)+1 {
		t.Fatalf("spans %v, want a transaction and %v", names(spans), children)
	}
	tx := all[0]
	if tx.SpanKind != trace.SpanKindInternal || tx.Status.Code == codes.Error || attr(tx, "db.namespace") == "" {
		t.Errorf("kind %v, status %v, attributes %v", tx.SpanKind, tx.Status, tx.Attributes)
	}
	for _, name := range children {
		got := named(spans, name)
		if len(got) != 1 {
			t.Errorf("%d spans %s among %v", len(got), name, names(spans))
			continue
		}
		if got[0].Parent.SpanID() != tx.SpanContext.SpanID() {
			t.Errorf("%s is no child of the transaction", name)
		}
		if got[0].StartTime.Before(tx.StartTime) || tx.EndTime.Before(got[0].EndTime) {
			t.Errorf("%s lasted from %v to %v, the transaction from %v to %v", name, got[0].StartTime, got[0].EndTime, tx.StartTime, tx.EndTime)
		}
	}
}

func TestATransactionHasASpan(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		c, ctx := transactionSpans(t)
		db := d.open(t, c.tracing, must(retry.New()))
		mustExec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
		name := db.Target().Namespace
		for level, begin := range map[string]func(context.Context, *sql.TxOptions) (*sql.Tx, error){
			"handle": db.BeginTx, "database/sql": db.DB.BeginTx,
		} {
			c.take()
			tx := must(begin(ctx, nil))
			must(tx.ExecContext(ctx, "INSERT INTO users VALUES (1)"))
			if err := tx.Rollback(); err != nil {
				t.Fatal(level, err)
			}
			checkTransaction(t, c.take(), "BEGIN "+name, "INSERT users", "ROLLBACK "+name)

			tx = must(begin(ctx, nil))
			must(tx.ExecContext(ctx, "DELETE FROM users"))
			if err := tx.Commit(); err != nil {
				t.Fatal(level, err)
			}
			checkTransaction(t, c.take(), "BEGIN "+name, "DELETE users", "COMMIT "+name)
		}
		err := db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM users")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		checkTransaction(t, c.take(), "BEGIN "+name, "DELETE users", "COMMIT "+name)
	})
}

func TestATransactionOfPGXHasASpan(t *testing.T) {
	t.Parallel()
	c, ctx := transactionSpans(t)
	server := dbtest.Postgres(t).Database(t)
	pool := openPGX(t, server.URL(), []sp.Interceptor{c.tracing, must(retry.New())}, size(1))
	pgxExec(t, pool, "CREATE TABLE users (id int PRIMARY KEY)")
	c.take()

	tx := must(pool.Begin(ctx))
	must(tx.Exec(ctx, "INSERT INTO users VALUES (1)"))
	savepoint := must(tx.Begin(ctx))
	rows := must(savepoint.Query(ctx, "SELECT id FROM users"))
	if ids, err := pgx.CollectRows(rows, pgx.RowTo[int]); err != nil || len(ids) != 1 {
		t.Fatalf("ids %v, error %v", ids, err)
	}
	if err := savepoint.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	// A part of the request has a span of its own.
	inside, step := c.traces.Tracer("test").Start(ctx, "step")
	must(tx.Exec(inside, "DELETE FROM users"))
	step.End()
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}

	spans := c.take()
	var rest tracetest.SpanStubs
	for _, s := range spans {
		switch s.Name {
		case "step":
		case "DELETE users":
			if s.Parent.SpanID() != step.SpanContext().SpanID() || len(s.Links) != 1 ||
				s.Links[0].SpanContext.SpanID() != named(spans, "transaction")[0].SpanContext.SpanID() {
				t.Errorf("parent %v, links %v", s.Parent.SpanID(), s.Links)
			}
		default:
			rest = append(rest, s)
		}
	}
	checkTransaction(t, rest, "BEGIN "+server.Name, "INSERT users",
		"SAVEPOINT "+server.Name, "SELECT users", "ROLLBACK "+server.Name, "COMMIT "+server.Name)
}

// Parcel is what a session keeps.
type Parcel struct {
	ID     int64 `orm:",pk,noauto"`
	Weight int64
}

// engineURLs are fresh databases of every dialect.
var engineURLs = map[string]func(t testing.TB) string{
	"PostgreSQL": func(t testing.TB) string { return dbtest.Postgres(t).Database(t).URL() },
	"MariaDB":    func(t testing.TB) string { return dbtest.MariaDB(t).Database(t).URL() },
	"SQLite":     func(t testing.TB) string { return "sqlite:" + dbtest.SQLite(t) },
}

func TestATransactionOfASessionHasASpan(t *testing.T) {
	t.Parallel()
	for name, url := range engineURLs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ctx := transactionSpans(t)
			eng := must(engine.Open(t.Context(), url(t), engine.WithChain(sp.NewChain(c.tracing))))
			defer eng.Dispose()
			if err := orm.CreateAll(t.Context(), eng, (*Parcel)(nil)); err != nil {
				t.Fatal(err)
			}
			c.take()
			s := orm.NewSession(eng)
			must(orm.Get[Parcel](ctx, s, 1))
			if err := errors.Join(s.Add(&Parcel{ID: 1}), s.Flush(ctx), s.Commit(ctx), s.Close(ctx)); err != nil {
				t.Fatal(err)
			}
			checkSession(t, c.take(), trace.SpanContextFromContext(ctx).SpanID())
		})
	}
}

// checkSession holds that the transaction is a child of the request, and each
// statement one of its method, with a link to the transaction; but COMMIT, on
// database/sql, is a child of the transaction.
func checkSession(t *testing.T, spans tracetest.SpanStubs, request trace.SpanID) {
	t.Helper()
	all := named(spans, "transaction")
	if len(all) != 1 || all[0].Parent.SpanID() != request {
		t.Fatalf("spans %v, want one of a transaction, a child of the request's", names(spans))
	}
	tx := all[0].SpanContext.SpanID()
	for prefix, method := range map[string]string{"SELECT": "session.get", "INSERT": "session.flush", "COMMIT": "session.commit"} {
		parent := named(spans, method)[0].SpanContext.SpanID()
		n := 0
		for _, s := range spans {
			if !strings.HasPrefix(s.Name, prefix) {
				continue
			}
			n++
			linked := len(s.Links) == 1 && s.Links[0].SpanContext.SpanID() == tx
			if (s.Parent.SpanID() != parent || !linked) && (prefix != "COMMIT" || s.Parent.SpanID() != tx) {
				t.Errorf("%s: parent %v, links %v", s.Name, s.Parent.SpanID(), s.Links)
			}
		}
		if n != 1 {
			t.Errorf("%d spans of %s among %v", n, prefix, names(spans))
		}
	}
}
