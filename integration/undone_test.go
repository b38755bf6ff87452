package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// victim runs a unit that becomes the victim of a deadlock, ignores it, and
// goes on to insert a row: MySQL would commit that by itself.
func victim(t *testing.T, db *sqldb.DB, runs *int, seen *error) error {
	t.Helper()
	return db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		*runs++
		if *runs == 1 {
			other := must(db.DB.BeginTx(t.Context(), nil))
			for id := 2; id <= 4; id++ { // it is the heavier one
				if _, err := other.ExecContext(t.Context(), "UPDATE d SET n = n + 1 WHERE id = ?", id); err != nil {
					return err
				}
			}
			if _, err := tx.ExecContext(ctx, "UPDATE d SET n = n + 1 WHERE id = 1"); err != nil {
				return err
			}
			done := make(chan error, 1)
			go func() {
				_, err := other.ExecContext(context.Background(), "UPDATE d SET n = n + 1 WHERE id = 1")
				done <- errors.Join(err, other.Rollback())
			}()
			_, *seen = tx.ExecContext(ctx, "UPDATE d SET n = n + 1 WHERE id = 2")
			if err := <-done; err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO log VALUES (1)")
		if *seen != nil && *runs == 1 && !errors.Is(err, sqldb.ErrTxUndone) {
			t.Errorf("a statement after the deadlock: %v", err)
		}
		return nil
	})
}

// TestNothingIsCommittedByHalfAfterADeadlock holds that a function which ignores
// the end of its transaction commits nothing, and is replayed as a whole.
func TestNothingIsCommittedByHalfAfterADeadlock(t *testing.T) {
	t.Parallel()
	for name, chain := range map[string][]sp.Interceptor{"alone": {&watch{}}, "under a retry": {must(retry.New())}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openDSN(t, "mysql", dbtest.MariaDB(t).Database(t).DSN(), chain...)
			for _, text := range []string{
				"CREATE TABLE d (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO d VALUES (1, 0), (2, 0), (3, 0), (4, 0)", "CREATE TABLE log (n INT)",
			} {
				mustExec(t, db, text)
			}
			var runs int
			var seen error
			err := victim(t, db, &runs, &seen)
			if my, ok := errors.AsType[*mysql.MySQLError](seen); !ok || my.Number != 1213 {
				t.Fatalf("the lighter transaction was not chosen as the victim: %v", seen)
			}
			rows := 0
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM log").Scan(&rows); err != nil {
				t.Fatal(err)
			}
			if name == "alone" && (!errors.Is(err, sqldb.ErrTxUndone) || rows != 0 || runs != 1) {
				t.Errorf("%d runs left %d rows: %v", runs, rows, err)
			}
			if name != "alone" && (err != nil || rows != 1 || runs != 2) {
				t.Errorf("%d runs left %d rows: %v", runs, rows, err)
			}
		})
	}
}

// TestTransactionGoesOnAfterAStatementThatWasRefused holds that a server's
// refusal of one statement is not taken for the end of its transaction.
func TestTransactionGoesOnAfterAStatementThatWasRefused(t *testing.T) {
	t.Parallel()
	db := openDSN(t, "mysql", dbtest.MariaDB(t).Database(t).DSN(), &watch{})
	mustExec(t, db, "CREATE TABLE d (id INT PRIMARY KEY)")
	tx := must(db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true}))
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO d VALUES (1)"); fault.Code(err) != "1792" {
		t.Fatal(err)
	}
	rows := -1
	if err := tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM d").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("after it: %d rows, %v", rows, err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}
