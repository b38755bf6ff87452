package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// recorder notes the statements that pass through the chain.
type recorder struct {
	mu       sync.Mutex
	calls    []string
	finished int
}

// Wrap implements [sp.Interceptor].
func (r *recorder) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		r.mu.Lock()
		r.calls = append(r.calls, call.Op.String())
		r.mu.Unlock()
		call.OnFinish(func(error) {
			r.mu.Lock()
			r.finished++
			r.mu.Unlock()
		})
		return next(ctx, call)
	}
}

// since returns the operations noted from the n-th on, without those of
// connections.
func (r *recorder) since(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.calls[n:]), func(op string) bool { return op == "connect" || op == "acquire" })
}

func (r *recorder) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

func testOneCallPerStatement(t *testing.T, f *fixture) {
	rec := &recorder{}
	e := f.open(engine.WithChain(sp.NewChain(rec)))
	f.exec(e, "CREATE TABLE seen (n INTEGER)")
	c := must[*engine.Conn](t)(e.Connect(t.Context()))
	tx := must[*engine.Tx](t)(c.Begin(t.Context()))
	f.ok(tx.Rollback(t.Context()))
	from := rec.len()
	f.exec(c, "INSERT INTO seen VALUES (?)", 1)
	f.exec(c, "SELECT n FROM seen WHERE n = ?", 1)
	f.ok(c.Commit(t.Context()))
	f.ok(c.Close(t.Context()))
	want(t, "operations of a connection", rec.since(from), []string{"BEGIN", "exec", "query", "COMMIT"})
	from = rec.len()
	f.exec(e, "SELECT n FROM seen WHERE n = ?", 1)
	want(t, "operations of a statement", rec.since(from), []string{"query"})
	from = rec.len()
	f.ok(e.RunInTx(t.Context(), func(_ context.Context, tx *engine.Tx) error {
		f.exec(tx, "UPDATE seen SET n = ?", 2)
		return nil
	}))
	want(t, "operations of a unit", rec.since(from), []string{"transaction", "BEGIN", "exec", "COMMIT"})
	rec.mu.Lock()
	defer rec.mu.Unlock()
	want(t, "finished", rec.finished, len(rec.calls))
}

var errRefused = errors.New("refused")

func testRefusal(t *testing.T, f *fixture) {
	refuse := false
	e := f.open(engine.WithChain(sp.NewChain(sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if refuse {
				return errRefused
			}
			return next(ctx, call)
		}
	}))))
	f.exec(e, "CREATE TABLE kept (n INTEGER)")
	c := must[*engine.Conn](t)(e.Connect(t.Context()))
	f.exec(c, "INSERT INTO kept VALUES (1)")
	refuse = true
	_, err := c.Execute(t.Context(), engine.Text("SELECT 1"))
	if !errors.Is(err, errRefused) {
		t.Errorf("execute: %v", err)
	}
	if err := c.Commit(t.Context()); !errors.Is(err, errRefused) {
		t.Errorf("commit: %v", err)
	}
	want(t, "in a transaction", c.InTransaction(), false)
	refuse = false
	want(t, "rows", must[any](t)(f.exec(c, "SELECT count(*) FROM kept").ScalarOne()), any(int64(0)))
	f.ok(c.Close(t.Context()))
}

func testRaw(t *testing.T, f *fixture) {
	c := f.connect()
	var driver string
	f.ok(c.Raw(func(dc any) error {
		driver = fmt.Sprintf("%T", dc)
		return nil
	}))
	known := map[sp.System]string{sp.SQLite: "*sqlite.conn", sp.MySQL: "*mysql.mysqlConn", sp.MariaDB: "*mysql.mysqlConn", sp.PostgreSQL: "*pgx.Conn"}
	want(t, "connection", driver, known[f.Dialect().System])
	if err := c.Raw(func(any) error { return errBoom }); !errors.Is(err, errBoom) {
		t.Errorf("an error of the function: %v", err)
	}
	f.end(c)
	if err := c.Raw(func(any) error { return nil }); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a closed connection: %v", err)
	}
}
