package integration_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

// failuresOf returns what a page lists as failed, the latest first.
func failuresOf(t *testing.T, page *statusz.Page) (failures []struct {
	Summary string `json:"summary"`
	Class   string `json:"fault_class"`
},
) {
	t.Helper()
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/?format=json", nil))
	var document struct {
		Failures json.RawMessage `json:"failures"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document.Failures, &failures); err != nil {
		t.Fatal(err)
	}
	return failures
}

// TestARollbackAfterOurTimeoutIsNoFailure holds that the page shows what went
// wrong and not its echo: our time limit has the driver close the connection, and
// the ROLLBACK that the caller sends next finds it closed.
func TestARollbackAfterOurTimeoutIsNoFailure(t *testing.T) {
	t.Parallel()
	const limit = 50 * time.Millisecond
	holds := func(t *testing.T, page *statusz.Page) {
		t.Helper()
		failures := failuresOf(t, page)
		if len(failures) != 1 || failures[0].Class != "attempt_timeout" {
			t.Errorf("failures: %+v, want the statement's alone", failures)
		}
	}
	sleep := map[sp.System]string{sp.PostgreSQL: "SELECT pg_sleep(60)", sp.MariaDB: "SELECT SLEEP(60)"}
	onEach(t, func(t *testing.T, d database) {
		if d.system == sp.SQLite {
			return // nothing closes its connections
		}
		page := must(statusz.New())
		db := d.open(t, page, must(timeout.New(time.Hour, timeout.WithFor(limit, sp.OpExec))), page.Innermost())
		tx := must(db.BeginTx(t.Context(), nil))
		if _, err := tx.ExecContext(t.Context(), sleep[d.system]); err == nil {
			t.Fatal("there was no time limit")
		}
		t.Log("rollback:", tx.Rollback())
		holds(t, page)
	})
	t.Run("pgxdb", func(t *testing.T) {
		t.Parallel()
		page := must(statusz.New())
		pool := openPGX(t, dbtest.Postgres(t).Database(t).URL(), []sp.Interceptor{page, must(timeout.New(time.Hour, timeout.WithFor(limit, sp.OpExec))), page.Innermost()})
		tx := must(pool.BeginTx(t.Context(), pgx.TxOptions{}))
		if _, err := tx.Exec(t.Context(), sleep[sp.PostgreSQL]); err == nil {
			t.Fatal("there was no time limit")
		}
		t.Log("rollback:", tx.Rollback(t.Context()))
		holds(t, page)
	})
}
