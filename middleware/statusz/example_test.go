package statusz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/pgscript"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/retry"
)

// aShop starts the database of an example, which knows no table.
func aShop() (url string, stop func()) {
	server, stop, err := pgscript.Launch()
	if err != nil {
		panic(err)
	}
	server.Handle(func(*pgscript.Session, string) pgscript.Reply { return pgscript.Reply{Code: "42P01"} })
	return server.URL(), stop
}

func Example() {
	page, err := statusz.New(statusz.WithTitle("shop"))
	if err != nil {
		fmt.Println(err)
		return
	}
	chain := sessionproxy.NewChain(page, page.Innermost())
	url, stop := aShop()
	defer stop()
	db, err := sqldb.Open("pgx", url, chain)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	mux := http.NewServeMux()
	mux.Handle("/debug/shop", page)

	ctx := context.Background()
	_, _ = db.ExecContext(ctx, "SELECT name FROM user WHERE name = 'ann'") // no such table

	request := httptest.NewRequest(http.MethodGet, "/debug/shop", nil)
	request.Header.Set("Accept", "application/json")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	var shown struct {
		Failures []struct {
			Text  string `json:"text"`
			Class string `json:"fault_class"`
		} `json:"failures"`
	}
	_ = json.Unmarshal(answer.Body.Bytes(), &shown)
	for _, f := range shown.Failures {
		fmt.Println(f.Class, "in", f.Text)
	}
	// Output: not_found in SELECT name FROM user WHERE name = ?
}

func ExampleNew_everything() {
	budget, err := retry.NewBudget(retry.WithCapacity(500))
	if err != nil {
		fmt.Println(err)
		return
	}
	retrier, err := retry.New(retry.WithBudget(budget))
	if err != nil {
		fmt.Println(err)
		return
	}
	brk, err := breaker.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := statusz.New(
		statusz.WithTitle("orders"),
		statusz.WithSlowThreshold(200*time.Millisecond),
		statusz.WithBudget(budget.Remaining, 500),
		statusz.WithBreakers(brk.States, func(s breaker.Status) statusz.Circuit {
			return statusz.Circuit{
				Target: s.Target, State: s.State.String(), Since: s.Since, RetryAfter: s.RetryAfter,
				Cause: s.Cause, Requests: s.Counts.Requests(), Failures: s.Counts.Failures,
			}
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	chain := sessionproxy.NewChain(page, retrier, brk, page.Innermost())
	fmt.Println(chain.Len(), "interceptors")
	// Output: 4 interceptors
}
