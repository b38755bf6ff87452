package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// travels is an interceptor that counts statements, and those that travelled
// with others.
type travels struct {
	mu     sync.Mutex
	calls  int
	widest int
	shared int
}

func (v *travels) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Level == sp.LevelStatement && call.Text != "" {
			call.OnEvent(func(e sp.Event) {
				if e.Kind == sp.EventPipelined {
					v.mu.Lock()
					v.shared++
					v.widest = max(v.widest, e.Attempt)
					v.mu.Unlock()
				}
			})
			call.OnFinish(func(error) {})
			v.mu.Lock()
			v.calls++
			v.mu.Unlock()
		}
		return next(ctx, call)
	}
}

// gate is an interceptor that holds up the first statement until it is opened,
// so that others wait behind it.
type gate struct{ reached, opened chan struct{} }

func (g gate) Wrap(next sp.Handler) sp.Handler {
	var once sync.Once
	return func(ctx context.Context, call *sp.Call) error {
		if call.Level == sp.LevelStatement && strings.Contains(call.Text, "0 AS gate") {
			once.Do(func() {
				close(g.reached)
				<-g.opened
			})
		}
		return next(ctx, call)
	}
}

// behindAGate opens an awaited session whose first statement waits; what is
// asked for before open is called travels together where that can be.
func behindAGate(t *testing.T, url string, opts ...proxy.MakerOption) (eng *engine.Engine, a *proxy.AsyncSession, v *travels, open func()) {
	t.Helper()
	v, g := &travels{}, gate{make(chan struct{}), make(chan struct{})}
	eng = shelves(t, url, v, g)
	m, err := proxy.NewMaker(eng, opts...)
	if err != nil {
		t.Fatal(err)
	}
	a = m.Async()
	t.Cleanup(func() { _ = a.Aclose(context.Background()).Await(context.Background()) })
	v.calls = 0
	first := a.Execute(t.Context(), engine.Text("SELECT 0 AS gate"))
	<-g.reached
	return eng, a, v, func() {
		close(g.opened)
		must(t, first)
	}
}

func TestStatementsTravelTogether(t *testing.T) {
	t.Parallel()
	for db, url := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			_, a, v, open := behindAGate(t, url(t))
			var fs []proxy.Future[*engine.Result]
			for i := range 100 {
				fs = append(fs, a.Execute(t.Context(), engine.Text("INSERT INTO shelf (name) VALUES (?)", fmt.Sprint("shelf ", i))))
			}
			names := proxy.Scalars[string](t.Context(), a, engine.Text("SELECT name FROM shelf ORDER BY id"))
			got := proxy.FindAll(t.Context(), a, orm.From[Shelf]().OrderBy("id"))
			one := proxy.Get[Shelf](t.Context(), a, 1)
			n := proxy.Count(t.Context(), a, orm.From[Shelf]())
			open()
			for _, f := range fs {
				if res := must(t, f); res.RowsAffected() != 1 {
					t.Errorf("%d rows", res.RowsAffected())
				}
			}
			if all := must(t, names); len(all) != 100 || all[99] != "shelf 99" {
				t.Errorf("%d names: what was asked for later did not see what was before", len(all))
			}
			if all := must(t, got); len(all) != 100 || all[0] != must(t, one) || must(t, n) != 100 {
				t.Error("objects differ")
			}
			switch {
			case v.calls != 105:
				t.Errorf("%d statements were seen, want 105", v.calls)
			case db == "postgres" && (v.shared != 104 || v.widest != 104):
				t.Errorf("%d statements travelled together, %d at most", v.shared, v.widest)
			case db != "postgres" && v.shared != 0:
				t.Error("a database without pipelines has them")
			}
			ok(t, a.Commit(t.Context()))
		})
	}
}

// TestMakersSayHowStatementsTravel holds the options of the queue for the sessions of
// a maker.
func TestMakersSayHowStatementsTravel(t *testing.T) {
	t.Parallel()
	_, a, v, open := behindAGate(t, databases["postgres"](t), proxy.WithPipelining(false), proxy.WithQueue(3))
	for range 2 {
		a.Execute(t.Context(), engine.Text("SELECT 1"))
	}
	full, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Execute(full, engine.Text("SELECT 1")).Await(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("with the queue full: %v", err)
	}
	open()
	ok(t, a.Commit(t.Context()))
	if v.calls != 3 || v.shared != 0 {
		t.Errorf("%d statements, of which %d travelled together", v.calls, v.shared)
	}
}

func TestAnErrorIsThatOfItsStatement(t *testing.T) {
	t.Parallel()
	eng, a, _, open := behindAGate(t, databases["postgres"](t))
	ctx := t.Context()
	insert := func(id int) proxy.Future[*engine.Result] {
		return a.Execute(ctx, engine.Text("INSERT INTO shelf (id, name) VALUES (?, 'x')", id))
	}
	one, two, twin, three := insert(1), insert(2), insert(1), insert(3)
	read := proxy.Scalar[int](ctx, a, engine.Text("SELECT count(*) FROM shelf"))
	open()
	must(t, one)
	must(t, two)
	var violated *integrity.Error
	if _, err := twin.Await(ctx); !errors.As(err, &violated) || errors.Is(err, engine.ErrPipelineAborted) {
		t.Errorf("the twin: %v", err)
	}
	if _, err := three.Await(ctx); !errors.Is(err, engine.ErrPipelineAborted) || !errors.Is(err, engine.ErrTxAborted) || !errors.As(err, &violated) {
		t.Errorf("the one behind it: %v", err)
	}
	if _, err := read.Await(ctx); !errors.Is(err, engine.ErrPipelineAborted) {
		t.Errorf("the read behind it: %v", err)
	}
	ok(t, a.Rollback(ctx))
	must(t, insert(4))
	ok(t, a.Commit(ctx))
	if n, _, err := engine.Scalar[int](ctx, eng, engine.Text("SELECT count(*) FROM shelf")); n != 1 || err != nil {
		t.Errorf("%d rows, error %v", n, err)
	}
}

func TestWhatCannotBePreparedIsNamed(t *testing.T) {
	t.Parallel()
	_, a, _, open := behindAGate(t, databases["postgres"](t))
	ctx := t.Context()
	good := a.Execute(ctx, engine.Text("INSERT INTO shelf (name) VALUES ('a')"))
	bad := a.Execute(ctx, engine.Text("SELECT nothing FROM nowhere"))
	after := a.Execute(ctx, engine.Text("INSERT INTO shelf (name) VALUES ('b')"))
	open()
	_, goodErr := good.Await(ctx)
	_, badErr := bad.Await(ctx)
	_, afterErr := after.Await(ctx)
	if !errors.Is(goodErr, engine.ErrPipelineAborted) || errors.Is(badErr, engine.ErrPipelineAborted) || !errors.Is(afterErr, engine.ErrPipelineAborted) {
		t.Errorf("%v\n%v\n%v", goodErr, badErr, afterErr)
	}
	if fault.Code(badErr) != "42P01" {
		t.Errorf("the code is %q", fault.Code(badErr))
	}
	ok(t, a.Rollback(ctx))
}

func TestWhatGoesAloneKeepsItsPlace(t *testing.T) {
	t.Parallel()
	_, a, v, open := behindAGate(t, databases["postgres"](t))
	ctx := t.Context()
	var fs []proxy.Future[*engine.Result]
	for _, text := range []string{
		"INSERT INTO shelf (name) VALUES ('a')", "INSERT INTO shelf (name) VALUES ('b')",
		"CREATE TEMPORARY TABLE fresh AS SELECT name FROM shelf", // has to see both
		"INSERT INTO fresh (name) VALUES ('c')", "INSERT INTO fresh (name) VALUES ('d')",
	} {
		fs = append(fs, a.Execute(ctx, engine.Text(text)))
	}
	n := proxy.Scalar[int](ctx, a, engine.Text("SELECT count(*) FROM fresh"))
	open()
	for i, f := range fs {
		if _, err := f.Await(ctx); err != nil {
			t.Errorf("statement %d: %v", i, err)
		}
	}
	if got := must(t, n); got.Value != 4 {
		t.Errorf("%d rows", got.Value)
	}
	if v.shared != 5 || v.widest != 3 {
		t.Errorf("%d travelled together, %d at most", v.shared, v.widest)
	}
	ok(t, a.Rollback(ctx))
}

func TestCancelledBeforeItIsSent(t *testing.T) {
	t.Parallel()
	_, a, _, open := behindAGate(t, databases["postgres"](t))
	ctx, cancel := context.WithCancel(t.Context())
	one := a.Execute(t.Context(), engine.Text("INSERT INTO shelf (name) VALUES ('a')"))
	two := a.Execute(ctx, engine.Text("INSERT INTO shelf (name) VALUES ('b')"))
	three := a.Execute(t.Context(), engine.Text("INSERT INTO shelf (name) VALUES ('c')"))
	cancel()
	open()
	must(t, one)
	must(t, three)
	if _, err := two.Await(t.Context()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := must(t, proxy.Scalar[int](t.Context(), a, engine.Text("SELECT count(*) FROM shelf"))); n.Value != 2 {
		t.Errorf("%d rows", n.Value)
	}
	ok(t, a.Commit(t.Context()))
}

// TestAwaitingDoesNotTakeStatementsApart asks for statements and awaits them at
// once, without anything that holds them up.
func TestAwaitingDoesNotTakeStatementsApart(t *testing.T) {
	t.Parallel()
	v := &travels{}
	eng := shelves(t, databases["postgres"](t), v)
	a := proxy.NewAsyncSession(eng)
	v.calls = 0
	for range 100 {
		a.Execute(t.Context(), engine.Text("INSERT INTO shelf (name) VALUES ('x')"))
	}
	ok(t, a.Commit(t.Context()))
	ok(t, a.Aclose(t.Context()))
	if v.calls != 100 || v.shared < 50 { // those behind the first, which makes the connection
		t.Errorf("%d statements, of which %d travelled together", v.calls, v.shared)
	}
}
