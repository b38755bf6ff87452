package integration_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/retry"
)

// unheardOf is a connector, and the driver, of a kind that nobody knows.
type unheardOf struct{ connect func() (driver.Conn, error) }

func (u unheardOf) Connect(context.Context) (driver.Conn, error) { return u.connect() }
func (u unheardOf) Driver() driver.Driver                        { return u }
func (u unheardOf) Open(string) (driver.Conn, error)             { return u.connect() }

// TestNothingIsSharedByThoseWithoutAName opens two databases of which nobody can
// tell what they are, one of them down, through one chain: each has a circuit, a
// budget and an entry of the page to itself.
func TestNothingIsSharedByThoseWithoutAName(t *testing.T) {
	t.Parallel()
	brk := must(breaker.New(breaker.WithConsecutiveFailures(2), breaker.WithFirstOpenTime(time.Hour), breaker.WithOpenTime(time.Hour)))
	budget := must(retry.NewBudget())
	page := must(statusz.New(statusz.WithBudget(budget.Remaining, 500)))
	chain := sp.NewChain(page, must(retry.New(retry.WithBudget(budget), retry.WithJitter(func(time.Duration) time.Duration { return 0 }))), brk)
	open := func(err error) *sqldb.DB {
		db := sqldb.OpenDB(unheardOf{func() (driver.Conn, error) { return nil, err }}, chain)
		t.Cleanup(func() { _ = db.Close() })
		return must(sqldb.Wrap(db))
	}
	down, other := open(syscall.ECONNREFUSED), open(errors.New("of no kind that opens a circuit"))
	if down.Target() == other.Target() {
		t.Fatalf("both have the target %+v", down.Target())
	}
	for range 3 {
		if _, err := down.ExecContext(t.Context(), "SELECT 1"); err == nil {
			t.Fatal("the one that is down answers")
		}
		if _, err := other.ExecContext(t.Context(), "SELECT 1"); errors.Is(err, breaker.ErrOpen) {
			t.Errorf("the other is refused: %v", err)
		}
	}
	a, b := down.Target(), other.Target()
	if brk.State(&a) != breaker.StateOpen || brk.State(&b) != breaker.StateClosed {
		t.Errorf("states: %v and %v", brk.State(&a), brk.State(&b))
	}
	if budget.Remaining(&a) == 500 || budget.Remaining(&b) != 500 {
		t.Errorf("tokens: %d and %d", budget.Remaining(&a), budget.Remaining(&b))
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/?format=json", nil))
	var shown struct {
		Budgets   []struct{} `json:"retry_budgets"`
		Latencies []struct{} `json:"latencies"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil || len(shown.Budgets) != 2 || len(shown.Latencies) != 2 {
		t.Errorf("%v, %d budgets and %d latencies, want 2 of each", err, len(shown.Budgets), len(shown.Latencies))
	}
}
