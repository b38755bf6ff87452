package integration_test

import (
	"context"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// tracedPGX opens a pool of one connection under tracing, retry and breaker,
// with a table of users.
func tracedPGX(t *testing.T) (*pgxdb.Pool, *telemetry, dbtest.Database) {
	t.Helper()
	c, server := collect(t), dbtest.Postgres(t).Database(t)
	pool := openPGX(t, server.URL(), []sp.Interceptor{c.tracing, must(retry.New()), must(breaker.New())}, size(1))
	pgxExec(t, pool, "CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE)")
	return pool, c, server
}

// only returns the one span that ended since the last time.
func (c *telemetry) only(t *testing.T) tracetest.SpanStub {
	t.Helper()
	spans := c.take()
	if len(spans) != 1 {
		t.Fatalf("spans %v, want one", names(spans))
	}
	return spans[0]
}

// checkPGX checks what every span of a statement has, and that it has exactly
// the wanted name and attributes besides. An empty value wants no attribute.
func checkPGX(t *testing.T, s tracetest.SpanStub, server dbtest.Database, name string, want map[string]string) {
	t.Helper()
	if s.Name != name || s.SpanKind != trace.SpanKindClient {
		t.Errorf("span %q, %v, want %q", s.Name, s.SpanKind, name)
	}
	all := map[string]string{"db.system.name": "postgresql", "db.namespace": server.Name, "server.address": server.Host}
	maps.Copy(all, want)
	for key, value := range all {
		if got := attr(s, key); got != value {
			t.Errorf("%s: %s is %q, want %q", s.Name, key, got, value)
		}
	}
	noSecrets(t, tracetest.SpanStubs{s})
}

func TestAConnectionOfPGXHasASpan(t *testing.T) {
	t.Parallel()
	_, c, server := tracedPGX(t)
	spans := c.take()
	connects, creates := named(spans, "connect "+server.Name), named(spans, "CREATE TABLE users")
	if len(connects) != 1 || len(creates) != 1 || len(spans) != 2 {
		t.Fatalf("the first statement made the spans %v, want its own and that of the connection", names(spans))
	}
	checkPGX(t, connects[0], server, "connect "+server.Name, map[string]string{"db.operation.name": "connect", "db.query.text": ""})
	if connects[0].Parent.SpanID() != creates[0].SpanContext.SpanID() {
		t.Error("dialling is no child of the statement that waited for it")
	}
}

func TestStatementsOfPGXHaveOneSpanEach(t *testing.T) {
	t.Parallel()
	pool, c, server := tracedPGX(t)
	ctx := t.Context()
	c.take()

	if _, err := pool.Exec(ctx, "INSERT INTO users VALUES ($1, $2), (2, 'x')", 1, "s3cr3t-argument"); err != nil {
		t.Fatal(err)
	}
	checkPGX(t, c.only(t), server, "INSERT users", map[string]string{
		"db.query.summary": "INSERT users", "db.operation.batch.size": "", "error.type": "",
	})
	pgxExec(t, pool, "INSERT INTO users VALUES (3, 's3cr3t-literal')")
	checkPGX(t, c.only(t), server, "INSERT users", map[string]string{"db.query.text": "INSERT INTO users VALUES (?, ?)"})

	rows, err := pool.Query(ctx, "SELECT id FROM users WHERE id > $1", 1)
	if err != nil {
		t.Fatal(err)
	}
	if open := c.take(); len(open) != 0 {
		t.Errorf("spans %v ended while the rows are open", names(open))
	}
	if ids, err := pgx.CollectRows(rows, pgx.RowTo[int]); err != nil || len(ids) != 2 {
		t.Fatalf("ids %v, error %v", ids, err)
	}
	checkPGX(t, c.only(t), server, "SELECT users", map[string]string{
		"db.query.text": "SELECT id FROM users WHERE id > $1", "db.response.returned_rows": "2",
	})

	if got := pgxScalar[int](t, pool, "SELECT count(*) FROM users"); got != 3 {
		t.Fatal(got)
	}
	checkPGX(t, c.only(t), server, "SELECT users", map[string]string{"db.response.returned_rows": "1"})

	_, err = pool.Exec(ctx, "INSERT INTO users VALUES ($1, $2)", 4, "s3cr3t-argument")
	s := c.only(t)
	checkPGX(t, s, server, "INSERT users", map[string]string{"db.response.status_code": "23505", "error.type": "23505"})
	if err == nil || s.Status.Code != codes.Error {
		t.Errorf("error %v, status %v", err, s.Status)
	}
}

func TestABatchOfPGXHasOneSpan(t *testing.T) {
	t.Parallel()
	pool, c, server := tracedPGX(t)
	c.take()
	send := func(statements ...string) {
		t.Helper()
		batch := &pgx.Batch{}
		for i, s := range statements {
			if s == insertUser {
				batch.Queue(s, i, "s3cr3t")
				continue
			}
			batch.Queue(s)
		}
		_ = pool.SendBatch(t.Context(), batch).Close()
	}

	send("SELECT id FROM users", "SELECT id FROM users", "SELECT id FROM users")
	checkPGX(t, c.only(t), server, "BATCH SELECT users", map[string]string{
		"db.operation.batch.size": "3", "db.query.text": "SELECT id FROM users", "db.query.summary": "BATCH SELECT users",
	})
	send("SELECT id FROM users", "SELECT email FROM users WHERE email = 's3cr3t'")
	checkPGX(t, c.only(t), server, "BATCH SELECT users", map[string]string{
		"db.operation.batch.size": "2", "db.query.text": "SELECT id FROM users; SELECT email FROM users WHERE email = ?",
	})
	send("SELECT id FROM users", "DELETE FROM users")
	checkPGX(t, c.only(t), server, "BATCH", map[string]string{"db.query.text": "SELECT id FROM users; DELETE FROM users"})
	send("SELECT id FROM users")
	checkPGX(t, c.only(t), server, "SELECT users", map[string]string{"db.operation.batch.size": ""})
	send(insertUser, insertUser)
	s := c.only(t)
	checkPGX(t, s, server, "BATCH INSERT users", map[string]string{"db.operation.batch.size": "2", "error.type": "23505"})
	if s.Status.Code != codes.Error {
		t.Errorf("status %v of a batch with a unique violation", s.Status)
	}
	if n := pgxScalar[int](t, pool, "SELECT count(*) FROM users"); n != 0 {
		t.Errorf("%d users after a failed batch", n)
	}
}

const insertUser = "INSERT INTO users VALUES ($1, $2)"

func TestACopyOfPGXHasASpan(t *testing.T) {
	t.Parallel()
	pool, c, server := tracedPGX(t)
	c.take()
	copyUsers := func(ids ...any) error {
		_, err := pool.CopyFrom(t.Context(), pgx.Identifier{"users"}, []string{"id", "email"},
			pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) { return []any{ids[i], "s3cr3t"}, nil }))
		return err
	}
	if err := copyUsers(1); err != nil {
		t.Fatal(err)
	}
	checkPGX(t, c.only(t), server, `COPY "users"`, map[string]string{"db.query.summary": `COPY "users"`, "error.type": ""})
	if err := copyUsers(2, 3); err == nil {
		t.Fatal("a unique violation was not reported")
	}
	checkPGX(t, c.only(t), server, `COPY "users"`, map[string]string{"error.type": "23505"})
}

func TestAUnitOfPGXIsTheParentOfItsStatements(t *testing.T) {
	t.Parallel()
	pool, c, server := tracedPGX(t)
	c.take()
	ctx := sp.WithCallName(t.Context(), "users.rename")
	err := pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE users SET email = $1", "s3cr3t"); err != nil {
			return err
		}
		return pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM users")
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	spans := c.take()
	for _, name := range []string{
		"BEGIN " + server.Name, "UPDATE users", "SAVEPOINT " + server.Name, "DELETE users",
		"RELEASE SAVEPOINT " + server.Name, "COMMIT " + server.Name,
	} {
		got := named(spans, name)
		if len(got) != 1 {
			t.Errorf("%d spans %s among %v", len(got), name, names(spans))
			continue
		}
		checkPGX(t, got[0], server, name, nil)
	}
	unit := named(spans, "users.rename")
	if len(unit) != 1 || unit[0].SpanKind != trace.SpanKindInternal {
		t.Fatalf("spans %v, want one of the unit", names(spans))
	}
	for _, s := range spans {
		if s.SpanContext.TraceID() != unit[0].SpanContext.TraceID() {
			t.Errorf("%s belongs to another trace", s.Name)
		}
		if s.Name == "UPDATE users" && s.Parent.SpanID() != unit[0].SpanContext.SpanID() {
			t.Error("the statement is no child of its unit")
		}
	}
}
