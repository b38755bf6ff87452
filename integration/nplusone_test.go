package integration_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware/nplusone"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

// TestALoopIsFoundOnEveryDatabase reads the orders of a request, and the customer of
// each: the record leads to this function, and the page lists the statement.
func TestALoopIsFoundOnEveryDatabase(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		var log strings.Builder
		page := must(statusz.New())
		db := d.open(t, page, must(nplusone.New(slog.New(slog.NewJSONHandler(&log, nil)))))
		for _, text := range []string{
			"CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(20))", "INSERT INTO customers VALUES (1, 'ann'), (2, 'bob')",
		} {
			if _, err := db.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		customers := func(ctx context.Context, orders int) {
			for i := range orders {
				var name string
				if err := db.QueryRowContext(ctx, d.bind("SELECT name FROM customers WHERE id = ?"), i%2+1).Scan(&name); err != nil {
					t.Error(err)
				}
			}
		}
		customers(t.Context(), 20) // of no request
		customers(nplusone.Scope(t.Context()), 9)
		if log.Len() > 0 {
			t.Errorf("reported: %s", log.String())
		}
		customers(nplusone.Scope(t.Context()), 20)
		var record map[string]any
		if err := json.Unmarshal([]byte(log.String()), &record); err != nil {
			t.Fatalf("%v: %s", err, log.String())
		}
		if function, _ := record["code.function.name"].(string); record["db.query.summary"] != "SELECT customers" || !strings.Contains(function, "TestALoopIsFound") {
			t.Errorf("%v", record)
		}
		if got := shownEvents(t, page); got["statement.repeated SELECT customers"] != 1 {
			t.Errorf("the page lists %v", got)
		}
		// A unit of work is a scope by itself.
		log.Reset()
		if err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
			for range 12 {
				if _, err := tx.ExecContext(ctx, "UPDATE customers SET name = name"); err != nil {
					return err
				}
			}
			return nil
		}); err != nil || strings.Count(log.String(), "UPDATE customers") != 1 {
			t.Errorf("%v: %s", err, log.String())
		}
	})
}

// shownEvents returns how often the page has seen each event, by kind and detail.
func shownEvents(t *testing.T, page http.Handler) map[string]int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?format=json", nil)
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	var body struct {
		Events []struct {
			Kind   sp.EventKind `json:"kind"`
			Detail string       `json:"detail"`
			Count  int          `json:"count"`
		} `json:"events"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, e := range body.Events {
		out[string(e.Kind)+" "+e.Detail] = e.Count
	}
	return out
}
