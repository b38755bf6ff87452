package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

func TestMistakesInOptionsAreNamed(t *testing.T) {
	t.Parallel()
	for names, opt := range map[string]engine.Option{
		"WithPoolSize: 0":         engine.WithPoolSize(0),
		"WithPoolSize: 1048577":   engine.WithPoolSize(1<<20 + 1),
		"WithMaxOverflow: -1":     engine.WithMaxOverflow(-1),
		"WithPoolTimeout: -1s":    engine.WithPoolTimeout(-time.Second),
		"WithPoolRecycle: -1s":    engine.WithPoolRecycle(-time.Second),
		"WithEcho: the logger":    engine.WithEcho(nil),
		"unknown parameter \"x\"": nil,
	} {
		_, err := engine.Open(t.Context(), "sqlite::memory:?x=1", opt)
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("the error %v does not name %s", err, names)
		}
	}
}

// stub is an opener that keeps what it is told.
type stub struct{ cfg backend.Config }

func (s *stub) Open(_ *backend.URL, cfg backend.Config) (backend.DB, error) {
	s.cfg = cfg
	return nil, errStub
}

type stubError struct{}

func (stubError) Error() string { return "stub: not opened" }

var errStub = stubError{}

// stubs counts the stubs that were registered.
var stubs atomic.Int32

func TestOptionsReachTheDialect(t *testing.T) {
	t.Parallel()
	s := &stub{}
	scheme := fmt.Sprintf("stub%d", stubs.Add(1)) // of this run: -count makes several
	backend.Register(scheme, s)
	_, err := engine.Open(t.Context(), scheme+":x")
	if err != errStub {
		t.Fatalf("the dialect's error: %v", err)
	}
	if c := s.cfg; c.PoolSize != 5 || c.MaxOverflow != 10 || c.PoolTimeout != 30*time.Second || c.PoolRecycle != 0 || c.PrePing || c.Chain.Len() != 0 {
		t.Errorf("defaults are %+v", c)
	}
	pass := sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })
	_, _ = engine.Open(t.Context(), scheme+":x", engine.WithChain(sp.NewChain(pass)), engine.WithPoolSize(2), engine.WithMaxOverflow(0),
		engine.WithPoolTimeout(0), engine.WithPoolRecycle(time.Hour), engine.WithPrePing(), engine.WithEcho(slog.Default()), nil)
	if c := s.cfg; c.PoolSize != 2 || c.MaxOverflow != 0 || c.PoolTimeout != 0 || c.PoolRecycle != time.Hour || !c.PrePing || c.Chain.Len() != 2 {
		t.Errorf("options gave %+v", c)
	}
	if got := backend.Schemes(); !slices.Contains(got, scheme) || !slices.Contains(got, "sqlite") {
		t.Errorf("schemes are %v", got)
	}
}

func TestRegisterRefusesWhatCantBeUsed(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]backend.Opener{"nothing": nil, "a scheme that is taken": &stub{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is registered", what)
				}
			}()
			backend.Register("sqlite", o)
		}()
	}
}

// echoes returns what an engine writes to its log while fn uses it.
func echoes(t *testing.T, fn func(e *engine.Engine), opts ...engine.Option) string {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "duration" {
			return slog.Attr{}
		}
		return a
	}}))
	e := open(t, append(opts, engine.WithEcho(log))...)
	out.Reset() // of connecting
	fn(e)
	return out.String()
}

func shop(t *testing.T) func(e *engine.Engine) {
	return func(e *engine.Engine) {
		run(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
		err := e.RunInTx(t.Context(), func(_ context.Context, tx *engine.Tx) error {
			run(t, tx, "INSERT INTO item (id, name) VALUES (7, ?)", "hunter2")
			run(t, tx, "SELECT * FROM item WHERE name = 'literal' OR id = 7")
			_, err := tx.Execute(t.Context(), engine.Text("INSERT INTO item (name) VALUES (?)", "hunter2"))
			return err
		})
		if err == nil {
			t.Error("a duplicate is no error")
		}
	}
}

func TestEchoShowsStatementsAndHidesValues(t *testing.T) {
	t.Parallel()
	got := echoes(t, shop(t))
	want := `level=INFO msg=engine operation=exec text="CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)" rows_affected=0
level=INFO msg=engine operation=BEGIN
level=INFO msg=engine operation=exec text="INSERT INTO item (id, name) VALUES (?, ?)" arguments=1 rows_affected=1
level=INFO msg=engine operation=query text="SELECT * FROM item WHERE name = ? OR id = ?" rows_returned=1
level=INFO msg=engine operation=exec text="INSERT INTO item (name) VALUES (?)" arguments=1 error=integrity code=2067
level=INFO msg=engine operation=ROLLBACK
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEchoShowsValuesWhenAsked(t *testing.T) {
	t.Parallel()
	got := echoes(t, shop(t), engine.WithEchoArguments())
	for _, want := range []string{"hunter2", "'literal'"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
}

func TestEchoShowsWhatPointersPointTo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	name := "tea"
	e := open(t, engine.WithEcho(slog.New(slog.NewTextHandler(&out, nil))), engine.WithEchoArguments())
	if _, err := e.Execute(t.Context(), engine.Text("SELECT ?", &name)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "arguments=[tea]") {
		t.Errorf("wrote %s", out.String())
	}
}

func TestEchoIsSilentBelowItsLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))
	e := open(t, engine.WithEcho(log))
	run(t, e, "SELECT 1")
	if out.Len() > 0 {
		t.Errorf("wrote %s", out.String())
	}
}
