package orm_test

import (
	"context"
	"errors"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// The rows of a stream are read a window at a time, with what the session had not
// sent yet; it lives on when the method that opened it is over, and its context.
func TestAStreamOutlivesItsMethod(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		brief := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				if call.Level == sp.LevelSession {
					brief, end := context.WithCancel(ctx)
					defer end()
					ctx = brief
				}
				return next(ctx, call)
			}
		})
		eng, err := engine.Open(ctx, db.url, engine.WithChain(sp.NewChain(brief)))
		check(t, err)
		defer func() { check(t, eng.Dispose()) }()
		s := orm.NewSession(eng)
		defer func() { check(t, s.Close(context.Background())) }()
		for i := range 10 {
			check(t, s.Add(&Team{Name: string(rune('a' + i))}))
		}
		names := engine.Text("SELECT name FROM team ORDER BY name")
		rows := must(s.Stream(ctx, names, engine.WithWindow(3)))
		first, err := rows.Scalars().FetchMany(4)
		if err != nil || len(first) != 4 || first[3] != "d" {
			t.Errorf("%v, %v", first, err)
		}
		if _, err := orm.Get[Team](ctx, s, 99); !errors.Is(err, engine.ErrConnBusy) {
			t.Errorf("while a stream is open: %v", err)
		}
		rest, err := rows.All()
		if err != nil || len(rest) != 6 {
			t.Errorf("%d rows, %v", len(rest), err)
		}
		rows = must(s.Stream(ctx, names, engine.WithWindow(1)))
		check(t, s.Commit(ctx))
		if _, err := rows.All(); err == nil {
			t.Error("the commit has not ended the stream")
		}
	})
}
