package postgres_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

// refusingError is the error of a value that does not give itself.
type refusingError struct{}

func (refusingError) Error() string { return "hunter2 is not for everyone" }

// refusing is a value that can't be written.
type refusing struct{ secret string }

func (refusing) Value() (driver.Value, error) { return nil, refusingError{} }

func TestErrorsOfArgumentsDoNotShowThem(t *testing.T) {
	t.Parallel()
	e := open(t)
	if _, err := e.Execute(t.Context(), engine.Text("CREATE TABLE safe (n int4, s text)")); err != nil {
		t.Fatal(err)
	}
	type vault struct{ Code string }
	secret := "hunter2 into text format for hunter2 (OID 1): hunter2"
	for name, c := range map[string]struct {
		wrong any
		says  string
	}{
		"a struct":      {vault{secret}, "argument 2 can't be written as int4: cannot find encode plan"},
		"a number":      {int64(4711_0000_0000), "argument 2 can't be written as int4"},
		"a refused one": {refusing{secret}, "argument 2 can't be written as int4"},
	} {
		for way, err := range waysToSend(t, e, c.wrong) {
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "4711") {
				t.Errorf("%s by %s: %v, want %q", name, way, err, c.says)
			}
			if _, own := c.wrong.(refusing); own && !errors.As(err, &refusingError{}) {
				t.Errorf("%s by %s: the value's own error is not in %v", name, way, err)
			}
		}
	}
}

// waysToSend returns the errors of all ways to send a value as the second
// argument, of type int4.
func waysToSend(t *testing.T, e *engine.Engine, v any) map[string]error {
	t.Helper()
	ctx := t.Context()
	out := map[string]error{}
	read := engine.Text("SELECT s FROM safe WHERE s = $1 AND n = $2", "x", v)
	write := engine.Text("UPDATE safe SET s = $1 WHERE n = $2", "x", v)
	_, out["a statement"] = e.Execute(ctx, write)
	_, out["a query"] = e.Execute(ctx, read)
	_, out["rows"] = engine.All[string](ctx, e, read)
	for _, err := range engine.Each[string](ctx, e, read) {
		out["a stream"] = err
	}
	_ = e.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
		_, out["a transaction"] = tx.Execute(ctx, write)
		return out["a transaction"]
	})
	for name, n := range map[string]int{"a batch": 3, "many rows": 500} {
		sets := make([][]any, n)
		for i := range sets {
			sets[i] = []any{"x", v}
		}
		_ = e.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
			_, out[name] = tx.ExecuteMany(ctx, engine.Text("INSERT INTO safe (s, n) VALUES ($1, $2)"), sets...)
			return out[name]
		})
	}
	_ = e.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
		tx.Conn().BatchFuncs(
			func() { _, out["the first of two"] = tx.Execute(ctx, read) },
			func() { _, out["the second of two"] = tx.Execute(ctx, engine.Text("SELECT 1")) },
		)
		return out["the first of two"]
	})
	return out
}
