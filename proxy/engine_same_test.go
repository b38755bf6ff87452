package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// step is a step of a random program on one connection.
type step struct {
	kind   string
	n      int  // an id, or a number of rows
	window int  // of a stream
	later  bool // its outcome is looked at when something needs it, not at once
}

var stepKinds = []string{
	"insert", "insert", "insert", "batch", "count", "begin", "savepoint", "release", "undo", "commit", "rollback", "stream", "abandon",
}

func drawProgram(t *rapid.T) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			kind: rapid.SampledFrom(stepKinds).Draw(t, "kind"), n: rapid.IntRange(1, 12).Draw(t, "n"),
			window: rapid.IntRange(1, 5).Draw(t, "window"), later: rapid.Bool().Draw(t, "later"),
		}
	}), 1, 25).Draw(t, "program")
}

// machine performs steps; what a step returns gives its outcome.
type machine interface {
	perform(ctx context.Context, s step) (outcome func() string)
	// leave closes the connection.
	leave(ctx context.Context) error
}

// said says what came of a step.
func said(v any, err error) string {
	var violated *integrity.Error
	switch {
	case err == nil:
		return fmt.Sprint(v)
	case errors.Is(err, engine.ErrTxAborted):
		return "aborted"
	case errors.As(err, &violated):
		return "violated"
	case errors.Is(err, engine.ErrTransactionBegun):
		return "begun"
	case errors.Is(err, engine.ErrTransactionClosed):
		return "ended"
	case errors.Is(err, engine.ErrConnBusy):
		return "busy"
	}
	return err.Error()
}

func batchOf(n int) []engine.Statement {
	return []engine.Statement{insert(n), insert(n + 1)}
}

var counted = engine.Text("SELECT count(*) FROM item")

type blockingMachine struct {
	conn *engine.Conn
	sps  []*engine.Tx
}

func (m *blockingMachine) leave(ctx context.Context) error { return m.conn.Close(ctx) }

func (m *blockingMachine) perform(ctx context.Context, s step) func() string {
	out := said(m.do(ctx, s))
	return func() string { return out }
}

func (m *blockingMachine) do(ctx context.Context, s step) (any, error) {
	switch s.kind {
	case "insert":
		res, err := m.conn.Execute(ctx, insert(s.n))
		return affected(res), err
	case "batch":
		res, err := m.conn.ExecuteBatch(ctx, batchOf(s.n)...)
		return len(res), err
	case "count":
		res, err := m.conn.Execute(ctx, counted)
		if err != nil {
			return nil, err
		}
		return res.Scalar()
	case "begin":
		_, err := m.conn.Begin(ctx)
		return "", err
	case "savepoint":
		sp, err := m.conn.BeginNested(ctx)
		if err == nil {
			m.sps = append(m.sps, sp)
		}
		return "", err
	case "release", "undo":
		if len(m.sps) == 0 {
			return "", nil
		}
		sp := m.sps[len(m.sps)-1]
		m.sps = m.sps[:len(m.sps)-1]
		if s.kind == "undo" {
			return "", sp.Rollback(ctx)
		}
		return "", sp.Commit(ctx)
	case "commit":
		return "", m.conn.Commit(ctx)
	case "rollback":
		return "", m.conn.Rollback(ctx)
	}
	rows, err := m.conn.Stream(ctx, engine.Text(allIDs), engine.WithWindow(s.window))
	if err != nil {
		return nil, err
	}
	read, err := rows.FetchMany(s.n)
	if s.kind == "abandon" {
		return len(read), errors.Join(err, m.conn.Commit(ctx))
	}
	return len(read), errors.Join(err, rows.Close())
}

func affected(res *engine.Result) int64 {
	if res == nil {
		return 0
	}
	return res.RowsAffected()
}

type awaitedMachine struct {
	conn *proxy.AsyncConnection
	sps  []*proxy.AsyncTransaction
	open []func() string // outcomes nobody has looked at
}

func (m *awaitedMachine) leave(ctx context.Context) error {
	m.settle()
	return m.conn.Close(ctx).Await(ctx)
}

func (m *awaitedMachine) settle() {
	for _, outcome := range m.open {
		outcome()
	}
	m.open = nil
}

func (m *awaitedMachine) perform(ctx context.Context, s step) func() string {
	switch s.kind {
	case "commit", "rollback", "abandon":
		m.settle() // errors that were not seen would change what they do
	}
	outcome := m.ask(ctx, s)
	m.open = append(m.open, outcome)
	if !s.later {
		m.settle()
	}
	return outcome
}

func (m *awaitedMachine) ask(ctx context.Context, s step) func() string {
	switch s.kind {
	case "insert":
		return later(ctx, m.conn.Execute(ctx, insert(s.n)), affected)
	case "batch":
		return later(ctx, m.conn.ExecuteBatch(ctx, batchOf(s.n)...), func(res []*engine.Result) int { return len(res) })
	case "count":
		return later(ctx, m.conn.Scalar(ctx, counted), func(v any) any { return v })
	case "begin":
		return later(ctx, m.conn.Begin(ctx), func(*proxy.AsyncTransaction) string { return "" })
	case "savepoint":
		sp, err := m.conn.BeginNested(ctx).Await(ctx)
		if err == nil {
			m.sps = append(m.sps, sp)
		}
		return func() string { return said("", err) }
	case "release", "undo":
		return m.endSavepoint(ctx, s.kind == "undo")
	case "commit":
		return completed(ctx, m.conn.Commit(ctx))
	case "rollback":
		return completed(ctx, m.conn.Rollback(ctx))
	}
	return m.stream(ctx, s)
}

func (m *awaitedMachine) endSavepoint(ctx context.Context, undo bool) func() string {
	if len(m.sps) == 0 {
		return func() string { return "" }
	}
	sp := m.sps[len(m.sps)-1]
	m.sps = m.sps[:len(m.sps)-1]
	if undo {
		return completed(ctx, sp.Rollback(ctx))
	}
	return completed(ctx, sp.Commit(ctx))
}

func (m *awaitedMachine) stream(ctx context.Context, s step) func() string {
	rows, err := m.conn.Stream(ctx, engine.Text(allIDs), engine.WithWindow(s.window)).Await(ctx)
	if err != nil {
		return func() string { return said("", err) }
	}
	read, end := rows.FetchMany(ctx, s.n), rows.Close
	if s.kind == "abandon" {
		end = m.conn.Commit
	}
	ended := end(ctx)
	return func() string {
		got, err := read.Await(ctx)
		return said(len(got), errors.Join(err, ended.Await(ctx)))
	}
}

func later[T, U any](ctx context.Context, f proxy.Future[T], what func(T) U) func() string {
	return func() string {
		v, err := f.Await(ctx)
		return said(what(v), err)
	}
}

func completed(ctx context.Context, c proxy.Completion) func() string {
	return func() string { return said("", c.Await(ctx)) }
}

// recorder is an interceptor that keeps what passes it.
type recorder struct {
	mu    sync.Mutex
	calls []string
}

func (r *recorder) Wrap(next sessionproxy.Handler) sessionproxy.Handler {
	return func(ctx context.Context, call *sessionproxy.Call) error {
		if call.Op != sessionproxy.OpConnect { // that depends on what is in the pool
			r.mu.Lock()
			r.calls = append(r.calls, fmt.Sprint(call.Op, " ", call.Text, " ", call.BatchSize))
			r.mu.Unlock()
		}
		return next(ctx, call)
	}
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// TestAnyProgramDoesWhatABlockingOneDoes runs random programs on a blocking
// connection and on an awaited one: each step has the same outcome, the chain
// sees the same calls in the same order, and the same rows are there at the
// end.
func TestAnyProgramDoesWhatABlockingOneDoes(t *testing.T) {
	t.Parallel()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := &recorder{}
			eng := stocked(t, url(t), engine.WithChain(sessionproxy.NewChain(seen)))
			ctx := t.Context()
			rapid.Check(t, func(t *rapid.T) {
				program := drawProgram(t)
				run := func(open func() (machine, error)) (outcomes, calls []string) {
					if _, err := eng.Sync().Execute(ctx, engine.Text("DELETE FROM item WHERE id > 5")); err != nil {
						t.Fatal(err)
					}
					seen.take()
					m, err := open()
					if err != nil {
						t.Fatal(err)
					}
					var open1 []func() string
					for _, s := range program {
						open1 = append(open1, m.perform(ctx, s))
					}
					for _, outcome := range open1 {
						outcomes = append(outcomes, outcome())
					}
					if err := m.leave(ctx); err != nil {
						t.Fatal(err)
					}
					calls = seen.take()
					res, err := eng.Sync().Execute(ctx, engine.Text(allIDs))
					if err != nil {
						t.Fatal(err)
					}
					ids, err := engine.ScalarsOf[int](res, 0).All()
					return append(outcomes, said(ids, err)), calls
				}
				want, wantCalls := run(func() (machine, error) {
					c, err := eng.Sync().Connect(ctx)
					return &blockingMachine{conn: c}, err
				})
				got, gotCalls := run(func() (machine, error) {
					c, err := eng.Connect(ctx).Await(ctx)
					return &awaitedMachine{conn: c}, err
				})
				if !reflect.DeepEqual(got, want) {
					t.Errorf("outcomes\n%q, want\n%q", got, want)
				}
				if !reflect.DeepEqual(gotCalls, wantCalls) {
					t.Errorf("calls\n%q, want\n%q", gotCalls, wantCalls)
				}
			})
		})
	}
}
