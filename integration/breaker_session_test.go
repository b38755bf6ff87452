package integration_test

import (
	"errors"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// TestAnOpenCircuitRefusesASessionsMethods holds that a session belongs to the
// circuit of its database: its methods fail early, blocking or awaited, without
// a try.
func TestAnOpenCircuitRefusesASessionsMethods(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"PostgreSQL": dbtest.Postgres(t).Database(t).URL(),
		"MariaDB":    dbtest.MariaDB(t).Database(t).URL(),
		"SQLite":     "sqlite:" + dbtest.SQLite(t),
	} {
		t.Run(name, func(t *testing.T) {
			brk, w := must(breaker.New()), &watch{}
			eng := must(engine.Open(t.Context(), url, engine.WithChain(sp.NewChain(brk, w))))
			defer eng.Dispose()
			if err := orm.CreateAll(t.Context(), eng, (*Purse)(nil)); err != nil {
				t.Fatal(err)
			}
			blocking := orm.NewSession(eng)
			awaited := proxy.NewAsyncSession(eng)
			if _, err := orm.Get[Purse](t.Context(), blocking, int64(1)); err != nil {
				t.Fatal(err)
			}
			if err := blocking.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			for status := range brk.States() {
				if status.Target.System == "" {
					t.Error("there are calls that belong to no database")
				}
			}
			before := len(w.of(sp.OpBegin))
			brk.ForceOpen(eng.Target())
			_, err := orm.Get[Purse](t.Context(), blocking, int64(2))
			_, awaitedErr := proxy.Get[Purse](t.Context(), awaited, int64(3)).Await(t.Context())
			if !errors.Is(err, breaker.ErrOpen) || !errors.Is(awaitedErr, breaker.ErrOpen) {
				t.Errorf("errors %v, %v, want a refusal", err, awaitedErr)
			}
			if len(w.of(sp.SessionOp("get"))) != 1 || len(w.of(sp.OpBegin)) != before {
				t.Error("a refused method has reached the database")
			}
			if err := errors.Join(blocking.Close(t.Context()), awaited.Close(t.Context()).Await(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}
