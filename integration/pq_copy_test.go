package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/lib/pq"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// intoUsers is a COPY as pq.CopyIn would write it, and copyUsers its summary.
const (
	intoUsers = `COPY "users" ("id", "email") FROM STDIN`
	copyUsers = `COPY "users"`
)

// copies counts the calls of COPY and keeps the rows that each of them wrote.
type copies struct {
	mu   sync.Mutex
	rows []int64
}

func (c *copies) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op == sp.OpCopy {
			call.OnFinish(func(error) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.rows = append(c.rows, call.RowsAffected)
			})
		}
		return next(ctx, call)
	}
}

// pqCopies is a database behind lib/pq, with what is seen of it.
type pqCopies struct {
	*telemetry
	db     *sqldb.DB
	server dbtest.Database
	copies copies
}

func newPQCopies(t *testing.T) *pqCopies {
	t.Helper()
	c := &pqCopies{telemetry: collect(t), server: dbtest.Postgres(t).Database(t)}
	connector := must(pq.NewConnector(c.server.DSN()))
	c.db = must(sqldb.Wrap(sqldb.OpenDB(connector, sp.NewChain(c.tracing, must(retry.New()), must(breaker.New()), &c.copies))))
	t.Cleanup(func() {
		if err := c.db.Close(); err != nil {
			t.Error(err)
		}
	})
	mustExec(t, c.db, "CREATE TABLE users (id int PRIMARY KEY, email text)")
	c.take()
	return c
}

// begin begins a transaction that the end of the test rolls back.
func (c *pqCopies) begin(t *testing.T) *sql.Tx {
	t.Helper()
	tx := must(c.db.BeginTx(context.Background(), nil)) //nolint:usetesting // its end would end the transaction before the clean-up does
	t.Cleanup(func() {
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			t.Log(err) // lost with its connection
		}
	})
	return tx
}

// users begins a COPY of users.
func (*pqCopies) users(t *testing.T, tx *sql.Tx) *sql.Stmt {
	t.Helper()
	return must(tx.PrepareContext(t.Context(), intoUsers))
}

// one returns the span of the one COPY there was.
func (c *pqCopies) one(t *testing.T) tracetest.SpanStub {
	t.Helper()
	spans := c.take()
	var found tracetest.SpanStubs
	for _, s := range spans {
		switch s.Name {
		case "BEGIN " + c.server.Name, "COMMIT " + c.server.Name, "ROLLBACK " + c.server.Name, "connect " + c.server.Name:
		default:
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the COPY made the spans %v, want one beside those of its transaction", names(spans))
	}
	checkPGX(t, found[0], c.server, copyUsers, map[string]string{"db.query.summary": copyUsers, "db.operation.name": ""})
	return found[0]
}

// wrote checks how many rows each COPY so far has written; -1 for what failed.
func (c *pqCopies) wrote(t *testing.T, want ...int64) {
	t.Helper()
	c.copies.mu.Lock()
	defer c.copies.mu.Unlock()
	if fmt.Sprint(c.copies.rows) != fmt.Sprint(want) {
		t.Errorf("rows written by each COPY: %v, want %v", c.copies.rows, want)
	}
}

// failed checks the span of a COPY that failed.
func (c *pqCopies) failed(t *testing.T, code, errorType string) {
	t.Helper()
	s := c.one(t)
	if s.Status.Code != codes.Error || attr(s, "db.response.status_code") != code || attr(s, "error.type") != errorType {
		t.Errorf("status %v, attributes %v, want %s", s.Status, s.Attributes, errorType)
	}
	c.wrote(t, -1)
}

func addUsers(t *testing.T, stmt *sql.Stmt, from, to int) {
	t.Helper()
	for id := from; id <= to; id++ {
		if _, err := stmt.ExecContext(t.Context(), id, "s3cr3t"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACopyOfPQIsOneSpanForTheWhole(t *testing.T) {
	t.Parallel()
	c := newPQCopies(t)
	tx := c.begin(t)
	// Of the rows that are sent the server leaves some out.
	stmt := must(tx.PrepareContext(t.Context(), `COPY "users" ("id", "email") FROM STDIN WHERE id > 10`))
	addUsers(t, stmt, 1, 2000)
	if open := named(c.take(), copyUsers); len(open) != 0 {
		t.Errorf("spans %v ended while rows are added", names(open))
	}
	result := must(stmt.ExecContext(t.Context()))
	if n, err := result.RowsAffected(); n != 1990 || err != nil {
		t.Errorf("the driver's result says %d rows, %v", n, err)
	}
	if s := c.one(t); s.Status.Code != codes.Unset {
		t.Errorf("status %v", s.Status)
	}
	if err := errors.Join(stmt.Close(), tx.Commit()); err != nil {
		t.Fatal(err)
	}
	if late := named(c.take(), copyUsers); len(late) != 0 {
		t.Errorf("closing the statement made the spans %v", names(late))
	}
	c.wrote(t, 1990)
	if n := scalar[int](t, c.db, "SELECT COUNT(*) FROM users"); n != 1990 {
		t.Errorf("%d rows in the table", n)
	}
}

func TestACopyOfPQEndsWhenItsStatementIsClosed(t *testing.T) {
	t.Parallel()
	c := newPQCopies(t)
	tx := c.begin(t)
	stmt := c.users(t, tx)
	addUsers(t, stmt, 1, 3)
	if err := errors.Join(stmt.Close(), tx.Commit()); err != nil {
		t.Fatal(err)
	}
	c.one(t)
	c.wrote(t, 3)
	if n := scalar[int](t, c.db, "SELECT COUNT(*) FROM users"); n != 3 {
		t.Errorf("%d rows in the table", n)
	}
}

func TestACopyOfPQThatFailsIsOneSpan(t *testing.T) {
	t.Parallel()
	t.Run("at the start", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		if _, err := c.begin(t).PrepareContext(t.Context(), `COPY "users" ("absent") FROM STDIN`); fault.Code(err) != "42703" {
			t.Errorf("error %v", err)
		}
		c.failed(t, "42703", "42703")
	})
	t.Run("at the end", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		stmt := c.users(t, c.begin(t))
		addUsers(t, stmt, 1, 3)
		addUsers(t, stmt, 3, 3)
		if _, err := stmt.ExecContext(t.Context()); fault.Code(err) != "23505" {
			t.Errorf("error %v", err)
		}
		_ = stmt.Close() //nolint:sqlclosecheck // at the COPY's end; its error is known
		c.failed(t, "23505", "23505")
	})
	t.Run("between the rows", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		stmt := c.users(t, c.begin(t))
		var err error
		for id := 0; err == nil; id = 1 { // the server's answer comes some rows later
			_, err = stmt.ExecContext(t.Context(), id, "s3cr3t")
		}
		if fault.Code(err) != "23505" {
			t.Errorf("error %v", err)
		}
		if closed := stmt.Close(); fault.Code(closed) != "23505" { //nolint:sqlclosecheck // what is tested
			t.Errorf("the statement is closed with %v", closed)
		}
		c.failed(t, "23505", "23505")
	})
	t.Run("the connection is lost", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		tx := c.begin(t)
		var pid int
		if err := tx.QueryRowContext(t.Context(), "SELECT pg_backend_pid() AS users").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		stmt := c.users(t, tx)
		mustExec(t, c.db, fmt.Sprintf("SELECT pg_terminate_backend(%d) AS users", pid))
		c.take()
		var err error
		for id := 0; err == nil; id++ {
			_, err = stmt.ExecContext(t.Context(), id, "s3cr3t")
		}
		_ = stmt.Close() //nolint:sqlclosecheck // its connection is gone
		if s := c.one(t); s.Status.Code != codes.Error || attr(s, "sessionproxy.fault.class") == "" {
			t.Errorf("status %v, attributes %v", s.Status, s.Attributes)
		}
		c.wrote(t, -1)
	})
}

func TestACopyOfPQThatIsCancelledIsOneSpan(t *testing.T) {
	t.Parallel()
	t.Run("before the first row", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		locks := c.begin(t)
		must(locks.ExecContext(t.Context(), "LOCK TABLE users"))
		tx := c.begin(t)
		c.take()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := tx.PrepareContext(ctx, intoUsers) //nolint:sqlclosecheck // it fails
			ended <- err
		}()
		eventually(t, "the COPY waits for its lock", func() bool {
			var waits bool
			err := locks.QueryRowContext(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'users'::regclass AND NOT granted)").Scan(&waits)
			return err == nil && waits
		})
		c.take()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) && fault.Code(err) != "57014" {
			t.Errorf("error %v", err)
		}
		if s := c.one(t); attr(s, "sessionproxy.fault.class") != "canceled" {
			t.Errorf("attributes %v", s.Attributes)
		}
		c.wrote(t, -1)
	})
	t.Run("between two rows", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		tx := c.begin(t)
		stmt := c.users(t, tx)
		addUsers(t, stmt, 1, 100)
		over, cancel := context.WithCancel(t.Context())
		if _, err := stmt.ExecContext(over, 101, "s3cr3t"); err != nil {
			t.Error(err)
		}
		cancel()
		if _, err := stmt.ExecContext(over, 102, "s3cr3t"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if err := errors.Join(stmt.Close(), tx.Rollback()); err != nil {
			t.Error(err)
		}
		c.failed(t, "", "canceled")
		if n := scalar[int](t, c.db, "SELECT COUNT(*) FROM users"); n != 0 {
			t.Errorf("%d rows in the table", n)
		}
	})
	t.Run("with its transaction", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tx := must(c.db.BeginTx(ctx, nil))
		stmt := must(tx.PrepareContext(ctx, intoUsers))
		for id := range 100 {
			must(stmt.ExecContext(ctx, id, "s3cr3t"))
		}
		cancel() // on which database/sql rolls back by itself
		eventually(t, "the connection is given up", func() bool { return c.db.Stats().InUse == 0 })
		if err := stmt.Close(); err != nil {
			t.Error(err)
		}
		if s := c.one(t); s.Status.Code != codes.Error || attr(s, "sessionproxy.fault.class") != "canceled" {
			t.Errorf("status %v, attributes %v", s.Status, s.Attributes)
		}
		c.wrote(t, -1)
		if n := scalar[int](t, c.db, "SELECT COUNT(*) FROM users"); n != 0 {
			t.Errorf("%d rows in the table", n)
		}
	})
	t.Run("and nobody closes it", func(t *testing.T) {
		t.Parallel()
		c := newPQCopies(t)
		tx := c.begin(t)
		addUsers(t, c.users(t, tx), 1, 100)
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		c.one(t)
		c.wrote(t, 100)
		if n := scalar[int](t, c.db, "SELECT COUNT(*) FROM users"); n != 0 || c.db.Stats().OpenConnections != 1 {
			t.Errorf("%d rows in the table, %d connections", n, c.db.Stats().OpenConnections)
		}
	})
}

// TestAUnitWithACopyOfPQIsReplayed has a trigger fail once, as a conflict does.
func TestAUnitWithACopyOfPQIsReplayed(t *testing.T) {
	t.Parallel()
	c := newPQCopies(t)
	mustExec(
		t, c.db, "CREATE SEQUENCE attempts", // which no rollback sets back
		`CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('attempts') = 50 THEN RAISE EXCEPTION 'once' USING ERRCODE = 'serialization_failure'; END IF;
			RETURN NEW;
		END $$`,
		"CREATE TRIGGER conflict BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION conflict()",
	)
	c.take()
	attempts := 0
	err := c.db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		attempts++
		stmt, err := tx.PrepareContext(ctx, intoUsers)
		if err != nil {
			return err
		}
		defer stmt.Close() //nolint:errcheck // the COPY has ended
		for id := range 100 {
			if _, err := stmt.ExecContext(ctx, id, "s3cr3t"); err != nil {
				return err
			}
		}
		_, err = stmt.ExecContext(ctx)
		return err
	})
	if err != nil || attempts != 2 {
		t.Fatalf("%d attempts, %v", attempts, err)
	}
	if spans := named(c.take(), copyUsers); len(spans) != 2 || attr(spans[0], "db.response.status_code") != "40001" || spans[1].Status.Code != codes.Unset {
		t.Errorf("spans %v, want one of each attempt", spans)
	}
	c.wrote(t, -1, 100)
}
