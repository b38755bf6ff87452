package proxy_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// TestAConnectionsStatementsTravelTogether asks for statements while the first
// one of a transaction is held up.
func TestAConnectionsStatementsTravelTogether(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		for name, opts := range map[string][]proxy.EngineOption{"": nil, "/one by one": {proxy.WithPipelining(false)}} {
			t.Run(db+name, func(t *testing.T) {
				t.Parallel()
				v, g := &travels{}, gate{make(chan struct{}), make(chan struct{})}
				stock := stocked(t, url(t), engine.WithChain(sessionproxy.NewChain(v, g)))
				eng, err := proxy.NewAsyncEngine(stock.Sync(), opts...)
				if err != nil {
					t.Fatal(err)
				}
				tx := must(t, eng.Begin(t.Context()))
				defer tx.Close(t.Context())
				first := tx.Execute(t.Context(), engine.Text("SELECT 0 AS gate"))
				<-g.reached
				var fs []proxy.Future[*engine.Result]
				for i := range 50 {
					fs = append(fs, tx.Execute(t.Context(), insert(31+i)))
				}
				n := tx.Scalar(t.Context(), counted)
				many := tx.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (id, name) VALUES (?, ?)"), []any{91, "x"}, []any{92, "x"})
				failed, behind := tx.Execute(t.Context(), insert(1)), tx.Scalar(t.Context(), counted)
				close(g.opened)
				must(t, first)
				for _, f := range fs {
					if res := must(t, f); res.RowsAffected() != 1 {
						t.Errorf("%d rows", res.RowsAffected())
					}
				}
				if v := must(t, n); v != int64(80) {
					t.Errorf("%v items", v)
				}
				if res := must(t, many); res.RowsAffected() != 2 {
					t.Errorf("%d rows", res.RowsAffected())
				}
				var violated *integrity.Error
				if _, err := failed.Await(t.Context()); !errors.As(err, &violated) {
					t.Error(err)
				}
				pg := eng.Dialect().System == sessionproxy.PostgreSQL
				if got, err := behind.Await(t.Context()); pg && !errors.Is(err, engine.ErrTxAborted) || !pg && fmt.Sprint(got) != "82" {
					t.Error(got, err)
				}
				ok(t, tx.Rollback(t.Context()))
				if together := pg && opts == nil; together != (v.widest > 50) || !together && v.widest != 0 {
					t.Errorf("%d statements travelled together", v.widest)
				}
			})
		}
	}
}
