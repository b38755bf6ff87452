package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/nplusone"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// secretText is a statement whose text holds secrets and no parameters.
const secretText = "INSERT INTO notes (name) VALUES ('" + canary + "''1') /* " + canary + " */ -- " + canary

// statements runs what services run, on a handle with every interceptor.
func (e *emitter) statements(t *testing.T) {
	ctx := t.Context()
	db := openDSN(t, e.driver, e.source, e.chain()...)
	key := map[sp.System]string{sp.PostgreSQL: "SERIAL PRIMARY KEY", sp.MariaDB: "INTEGER PRIMARY KEY AUTO_INCREMENT", sp.SQLite: "INTEGER PRIMARY KEY"}
	mustExec(t, db, "CREATE TABLE notes (id "+key[e.system]+", name VARCHAR(80) UNIQUE)", secretText)
	insert := e.bind("INSERT INTO notes (name) VALUES (?)")
	if _, err := db.ExecContext(sp.WithCallName(ctx, "notes.add"), insert, canary+"2"); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	if n := scalar[int](t, db, e.bind("SELECT COUNT(*) FROM notes WHERE name <> ?"), canary); n != 2 {
		t.Fatalf("%d notes", n)
	}
	var none int
	err := db.QueryRowContext(ctx, "SELECT id FROM notes WHERE name = '"+canary+"'").Scan(&none)
	if !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	st, err := db.PrepareContext(ctx, insert)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.ExecContext(ctx, canary+"3"); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(ctx, many)
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	if err := rows.Close(); err != nil { // long before their end
		t.Fatal(err)
	}
	err = db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
		mustExec(t, tx, "SAVEPOINT a", secretAgain(4), "ROLLBACK TO SAVEPOINT a", "RELEASE SAVEPOINT a")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// secretAgain is [secretText] for another note.
func secretAgain(n int) string {
	return strings.Replace(secretText, "1", string(rune('0'+n)), 1)
}

// failures runs what fails, with secrets in the text, the arguments, and the
// server's message.
func (e *emitter) failures(t *testing.T) {
	ctx := t.Context()
	db := openDSN(t, e.driver, e.source, e.chain()...)
	tells := 0
	for _, run := range []func() error{
		func() error { _, err := db.ExecContext(ctx, secretText); return err },
		func() error {
			_, err := db.ExecContext(ctx, e.bind("INSERT INTO notes (name) VALUES (?)"), canary+"2")
			return err
		},
		func() error { _, err := db.ExecContext(ctx, "INSERT '"+canary+"'"); return err },
		func() error {
			_, err := db.ExecContext(ctx, "SELECT missing FROM notes WHERE name = '"+canary+"'")
			return err
		},
		func() error {
			_, err := db.QueryContext(ctx, "SELECT * FROM notes WHERE '"+canary+"' = 'a' (")
			return err
		},
		func() error {
			return db.RunInTx(ctx, nil, func(context.Context, *sql.Tx) error { return errors.New(canary) })
		},
		func() error {
			return db.RunInTx(ctx, nil, func(context.Context, *sql.Tx) error { panic(canary) })
		},
		func() error {
			_, err := db.ExecContext(context.WithValue(ctx, guarded{}, true), secretText)
			return err
		},
		func() error {
			ended, cancel := context.WithCancelCause(ctx)
			cancel(errors.New(canary))
			_, err := db.ExecContext(ended, secretText)
			return err
		},
	} {
		err := run()
		if err == nil {
			t.Error("what should fail has not")
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			tells++
		}
	}
	// A server or a file that refuses the connection, and says whose.
	stranger := openDSN(t, e.driver, strings.Replace(e.source, canary, canary+"0", 1), e.chain()...)
	if err := stranger.PingContext(sp.WithNoRetry(ctx)); err == nil {
		t.Error("a stranger was let in")
	}
	if tells < 2 {
		t.Errorf("only %d errors hold what must not be told", tells)
	}
}

// slow runs a query that is told as slow, with its plan.
func (e *emitter) slow(t *testing.T) {
	plans := openDSN(t, e.driver, e.source)
	explain := func(ctx context.Context, text string, _ sp.Args) (string, error) {
		rows, err := plans.QueryContext(ctx, "EXPLAIN "+text)
		if err != nil {
			return "", err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		return strings.Join(columns, " "), err
	}
	db := openDSN(t, e.driver, e.source, e.observed(must(slowquery.New(e.logger, time.Nanosecond, slowquery.WithExplain(explain))))...)
	if n := scalar[int](t, db, "SELECT COUNT(*) FROM notes"); n == 0 {
		t.Fatal("there are no notes")
	}
}

// repeated fails often, of which not all is logged.
func (e *emitter) repeated(t *testing.T) {
	db := openDSN(t, e.driver, e.source, must(logging.New(e.logger, logging.WithSampling(1, 2))))
	for range 8 {
		if _, err := db.ExecContext(t.Context(), secretText); err == nil {
			t.Fatal("there are two notes of one name")
		}
	}
}

// loops repeats a statement in a unit of work.
func (e *emitter) loops(t *testing.T) {
	db := openDSN(t, e.driver, e.source, e.observed(must(nplusone.New(e.logger, nplusone.WithThreshold(3))))...)
	if err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		for range 4 {
			if _, err := tx.ExecContext(ctx, "DELETE FROM notes WHERE 1 = 0"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// overdue leaves a transaction and rows open for longer than is allowed.
func (e *emitter) overdue(t *testing.T) {
	tr := must(tracing.New(tracing.WithTracerProvider(e.traces), tracing.WithMeterProvider(e.meters),
		tracing.WithLeakDetection(time.Millisecond, e.logger)))
	db := openDSN(t, e.driver, e.source, tr)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := tx.QueryContext(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	for e.logs.count("result is still open") < 2 {
		runtime.Gosched()
	}
	if err := errors.Join(rows.Close(), tx.Rollback()); err != nil {
		t.Fatal(err)
	}
}

// doubts commits a unit of which nobody hears whether it was committed.
func (e *emitter) doubts(t *testing.T) {
	lost := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := next(ctx, call)
			if call.Op == sp.OpCommit && err == nil {
				return &fault.CommitError{Err: errors.New("the answer was lost: " + canary)}
			}
			return err
		}
	})
	db := openDSN(t, e.driver, e.source, e.observed(must(retry.New(retry.WithMeterProvider(e.meters))), lost)...)
	ctx := sp.WithVerifyCommit(t.Context(), func(context.Context) (bool, error) { return true, nil })
	err := db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, secretAgain(6))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
