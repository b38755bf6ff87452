package orm_test

import (
	"context"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
)

// targets is an interceptor that writes down which database calls are for.
type targets struct {
	mu   sync.Mutex
	seen map[sp.Level]map[sp.Target]int
}

func (r *targets) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		r.mu.Lock()
		if r.seen[call.Level] == nil {
			r.seen[call.Level] = map[sp.Target]int{}
		}
		r.seen[call.Level][*call.Target]++ // a panic without one
		r.mu.Unlock()
		return next(ctx, call)
	}
}

// TestMethodsAndStatementsAreForOneDatabase holds that a session's methods name
// the database that their statements name, from before its pool is opened until
// after it is closed.
func TestMethodsAndStatementsAreForOneDatabase(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"SQLite":     "sqlite:" + t.TempDir() + "/orm.db",
		"PostgreSQL": dbtest.Postgres(t).Database(t).URL(),
		"MariaDB":    dbtest.MariaDB(t).Database(t).URL(),
	} {
		t.Run(name, func(t *testing.T) {
			r := &targets{seen: map[sp.Level]map[sp.Target]int{}}
			eng := must(engine.Open(t.Context(), url, engine.WithChain(sp.NewChain(r)), engine.WithLazyConnect()))
			s := orm.NewSession(eng)
			check(t, s.Begin(t.Context()), eng.Ping(t.Context()), s.Rollback(t.Context()))
			first := r.seen[sp.LevelSession]
			clear(r.seen) // MariaDB was MySQL until it was asked
			check(t, s.Begin(t.Context()), second(s.Execute(t.Context(), engine.Text("SELECT 1"))), s.Rollback(t.Context()))
			check(t, eng.Dispose(), s.Close(t.Context()))
			methods, statements, want := r.seen[sp.LevelSession], r.seen[sp.LevelStatement], *eng.Target()
			if len(methods) != 1 || methods[want] != 4 || len(statements) != 1 || statements[want] < 3 {
				t.Errorf("methods for %v, statements for %v, want both for %v", methods, statements, want)
			}
			for was := range first {
				if was.System = want.System; was != want {
					t.Errorf("%v at first, then %v", was, want)
				}
			}
		})
	}
}
