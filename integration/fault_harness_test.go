package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// faultSession runs statements: on a connection, or in its transaction.
type faultSession interface {
	// exec runs a statement and throws away what it returns.
	exec(ctx context.Context, query string, args ...any) error
}

// faultConn is one connection of a raw driver, without this library in
// between.
type faultConn interface {
	faultSession
	// ask returns the one value that a query returns.
	ask(ctx context.Context, query string) (string, error)
	// begin starts a transaction by the driver's own means.
	begin(ctx context.Context, level sql.IsolationLevel) (faultTx, error)
	// close ends the connection.
	close()
}

// faultTx is a transaction of a raw driver.
type faultTx interface {
	faultSession
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
}

// faultDriver is a raw driver.
type faultDriver struct {
	name string
	dial func(ctx context.Context, dsn string) (faultConn, error)
}

var faultPostgresDrivers = []faultDriver{
	{"pgx", faultDialPgx},
	{"pgx stdlib", faultDialSQL("pgx")},
	{"lib/pq", faultDialSQL("postgres")},
}

var (
	faultMySQL  = faultDriver{"go-sql-driver", faultDialSQL("mysql")}
	faultSQLite = faultDriver{"modernc", faultDialSQL("sqlite")}
)

// open opens a connection, or fails the test.
func (d faultDriver) open(t *testing.T, dsn string) faultConn {
	t.Helper()
	c, err := d.dial(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

type faultPgx struct{ *pgx.Conn }

func faultDialPgx(ctx context.Context, dsn string) (faultConn, error) {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	return faultPgx{c}, nil
}

func (c faultPgx) exec(ctx context.Context, query string, args ...any) error {
	_, err := c.Exec(ctx, query, args...)
	return err
}

func (c faultPgx) ask(ctx context.Context, query string) (value string, err error) {
	err = c.QueryRow(ctx, query).Scan(&value)
	return value, err
}

func (c faultPgx) begin(ctx context.Context, level sql.IsolationLevel) (faultTx, error) {
	tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(strings.ToLower(level.String()))})
	if level == sql.LevelDefault {
		tx, err = c.BeginTx(ctx, pgx.TxOptions{})
	}
	return faultPgxTx{tx}, err
}

func (c faultPgx) close() { _ = c.Close(context.Background()) }

type faultPgxTx struct{ pgx.Tx }

func (x faultPgxTx) exec(ctx context.Context, query string, args ...any) error {
	_, err := x.Exec(ctx, query, args...)
	return err
}
func (x faultPgxTx) commit(ctx context.Context) error   { return x.Commit(ctx) }
func (x faultPgxTx) rollback(ctx context.Context) error { return x.Rollback(ctx) }

// faultSQL is a connection that database/sql does not replace.
type faultSQL struct {
	*sql.Conn
	db *sql.DB
}

func faultDialSQL(name string) func(context.Context, string) (faultConn, error) {
	return func(ctx context.Context, dsn string) (faultConn, error) {
		db, err := sql.Open(name, dsn)
		if err != nil {
			return nil, err
		}
		c, err := db.Conn(ctx)
		if err != nil {
			_ = db.Close()
			return nil, err
		}
		return faultSQL{c, db}, nil
	}
}

func (c faultSQL) exec(ctx context.Context, query string, args ...any) error {
	_, err := c.ExecContext(ctx, query, args...)
	return err
}

func (c faultSQL) ask(ctx context.Context, query string) (value string, err error) {
	err = c.QueryRowContext(ctx, query).Scan(&value)
	return value, err
}

func (c faultSQL) begin(ctx context.Context, level sql.IsolationLevel) (faultTx, error) {
	tx, err := c.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	return faultSQLTx{tx}, err
}

func (c faultSQL) close() {
	_ = c.Close()
	_ = c.db.Close()
}

type faultSQLTx struct{ *sql.Tx }

func (x faultSQLTx) exec(ctx context.Context, query string, args ...any) error {
	_, err := x.ExecContext(ctx, query, args...)
	return err
}
func (x faultSQLTx) commit(context.Context) error   { return x.Commit() }
func (x faultSQLTx) rollback(context.Context) error { return x.Rollback() }

// faultExec runs statements that must succeed.
func faultExec(t *testing.T, s faultSession, queries ...string) {
	t.Helper()
	for _, query := range queries {
		if err := s.exec(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}

func faultBegin(t *testing.T, c faultConn) faultTx { return faultBeginAt(t, c, sql.LevelDefault) }

func faultBeginAt(t *testing.T, c faultConn, level sql.IsolationLevel) faultTx {
	t.Helper()
	tx, err := c.begin(t.Context(), level)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func faultRollback(t *testing.T, tx faultTx) {
	t.Helper()
	if err := tx.rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// faultWant is what a provoked error is expected to mean.
type faultWant struct {
	class    fault.Class
	code     string
	alone    fault.Retry // outside a transaction
	inTx     fault.Retry // inside one, and at COMMIT
	breaker  fault.Breaker
	outcome  fault.Outcome // outside a transaction; at COMMIT
	discard  bool
	answered bool
}

// faultAnswer is what a statement with a mistake is answered by.
func faultAnswer(class fault.Class) faultWant {
	return faultWant{class: class, breaker: fault.BreakerSuccess, outcome: fault.OutcomeAnswered, answered: true}
}

func (w faultWant) check(t *testing.T, err error) {
	t.Helper()
	if got := w.judge(t, err, fault.Situation{}, w.alone); got.Outcome != w.outcome {
		t.Errorf("%v: outcome %v, want %v", err, got.Outcome, w.outcome)
	}
}

func (w faultWant) checkInTx(t *testing.T, err error) {
	t.Helper()
	w.judge(t, err, fault.Situation{InTx: true}, w.inTx)
	if unit := fault.Of(err, fault.Situation{Phase: fault.PhaseUnit}); unit.Retry != w.inTx {
		t.Errorf("%v: the unit's retry is %v, want %v", err, unit.Retry, w.inTx)
	}
}

func (w faultWant) checkCommit(t *testing.T, err error) {
	t.Helper()
	if got := w.judge(t, err, fault.Situation{Phase: fault.PhaseCommit, InTx: true}, w.inTx); got.Outcome != w.outcome {
		t.Errorf("%v: outcome %v, want %v", err, got.Outcome, w.outcome)
	}
}

func (w faultWant) judge(t *testing.T, err error, s fault.Situation, retry fault.Retry) fault.Verdict {
	t.Helper()
	if err == nil {
		t.Fatal("there was no error")
	}
	got := fault.Of(err, s)
	want := fault.Verdict{
		Class: w.class, Retry: retry, Outcome: got.Outcome, Tx: got.Tx, Breaker: w.breaker,
		DiscardConn: w.discard, Answered: w.answered, Slow: got.Slow, Contention: got.Contention,
	}
	if got != want {
		t.Errorf("%T %v:\ngot  %+v\nwant %+v", err, err, got, want)
	}
	if w.code != "" && fault.Code(err) != w.code {
		t.Errorf("%v: code %q, want %q", err, fault.Code(err), w.code)
	}
	return got
}

// faultCase is a statement that fails by itself.
type faultCase struct {
	name  string
	query string
	code  string
	want  faultWant
	// violated is the violation to be read, without code and cause.
	violated *integrity.Error
}

// run runs the statement outside a transaction and inside one.
func (c faultCase) run(t *testing.T, conn faultConn) {
	t.Helper()
	c.want.code = c.code
	err := conn.exec(t.Context(), c.query)
	c.want.check(t, err)
	c.checkIntegrity(t, err)
	tx := faultBegin(t, conn)
	c.want.checkInTx(t, tx.exec(t.Context(), c.query))
	faultRollback(t, tx)
}

func (c faultCase) checkIntegrity(t *testing.T, err error) {
	t.Helper()
	got, ok := integrity.Of(err)
	if ok != (c.violated != nil) {
		t.Fatalf("%v: read as %v", err, got)
	}
	if !ok {
		return
	}
	if strings.Contains(got.Error(), "secret") {
		t.Errorf("message %q shows a row's value", got)
	}
	if !errors.Is(got, err) {
		t.Errorf("%v does not unwrap to the error", got)
	}
	want := *c.violated
	want.Code, want.Err = c.code, got.Err
	if *got != want {
		t.Errorf("%v:\ngot  %+v\nwant %+v", err, *got, want)
	}
}
