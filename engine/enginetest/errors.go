package enginetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// tables creates the tables whose constraints are violated.
func (f *fixture) tables() {
	f.Helper()
	f.exec(f, "CREATE TABLE parent (id INTEGER PRIMARY KEY, code VARCHAR(20) UNIQUE)")
	f.exec(f, "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, age INTEGER, tag VARCHAR(5), "+
		"CONSTRAINT child_parent FOREIGN KEY (parent_id) REFERENCES parent (id), CONSTRAINT child_age CHECK (age >= 0))")
	f.exec(f, "INSERT INTO parent (id, code) VALUES (1, 'one')")
}

// violates runs a statement that violates a constraint.
func (f *fixture) violates(kind integrity.Kind, text string, args ...any) *integrity.Error {
	f.Helper()
	_, err := f.Execute(f.Context(), engine.Text(text, args...))
	var violated *integrity.Error
	if !errors.As(err, &violated) {
		f.Fatalf("%s: %v", text, err)
	}
	want(f, "kind", violated.Kind, kind)
	if strings.Contains(err.Error(), "hunter2") {
		f.Errorf("the error shows an argument: %v", err)
	}
	return violated
}

func testUniqueKey(t *testing.T, f *fixture) {
	f.tables()
	f.exec(f, "INSERT INTO parent (id, code) VALUES (2, ?)", "hunter2")
	v := f.violates(integrity.Unique, "INSERT INTO parent (id, code) VALUES (3, ?)", "hunter2")
	if f.Dialect().System == sp.PostgreSQL || f.Dialect().System == sp.SQLite {
		want(t, "table", v.Table, "parent")
	}
	_ = f.violates(integrity.Unique, "INSERT INTO parent (id, code) VALUES (1, 'x')")
}

func testNotNull(t *testing.T, f *fixture) {
	f.tables()
	v := f.violates(integrity.NotNull, "INSERT INTO child (id, parent_id) VALUES (1, NULL)")
	want(t, "column", v.Column, "parent_id")
}

func testForeignKey(t *testing.T, f *fixture) {
	f.tables()
	v := f.violates(integrity.ForeignKey, "INSERT INTO child (id, parent_id) VALUES (1, 99)")
	if f.Dialect().System != sp.SQLite {
		want(t, "constraint", v.Constraint, "child_parent")
	}
	f.exec(f, "INSERT INTO child (id, parent_id) VALUES (1, 1)")
	_ = f.violates(integrity.ForeignKey, "DELETE FROM parent WHERE id = 1")
}

func testCheck(t *testing.T, f *fixture) {
	f.tables()
	v := f.violates(integrity.Check, "INSERT INTO child (id, parent_id, age) VALUES (1, 1, -1)")
	want(t, "constraint", v.Constraint, "child_age")
}

func testSyntax(t *testing.T, f *fixture) {
	_, err := f.Execute(t.Context(), engine.Text("SELEC 1"))
	var wrong *engine.ProgrammingError
	if !errors.As(err, &wrong) || wrong.Class != fault.ClassSyntax || wrong.Code == "" {
		t.Errorf("a syntax error: %v", err)
	}
}

func testMissingTable(t *testing.T, f *fixture) {
	_, err := f.Execute(t.Context(), engine.Text("SELECT * FROM nowhere WHERE a = ?", "hunter2"))
	var wrong *engine.ProgrammingError
	if !errors.As(err, &wrong) || wrong.Code == "" {
		t.Errorf("a missing table: %v", err)
	}
	if err == nil || !strings.Contains(err.Error(), "nowhere") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the message is %v", err)
	}
}

func testDataError(t *testing.T, f *fixture) {
	f.tables()
	_, err := f.Execute(t.Context(), engine.Text("INSERT INTO child (id, parent_id, tag) VALUES (1, 1, ?)", "hunter2"))
	if f.Dialect().System == sp.SQLite {
		f.ok(err) // lengths are not enforced
		return
	}
	var data *engine.DataError
	if !errors.As(err, &data) || data.Code == "" {
		t.Errorf("a value that is too long: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the value: %v", err)
	}
}

func testCancelled(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Execute(ctx, engine.Text("SELECT 1")); !errors.Is(err, context.Canceled) {
		t.Errorf("execute with a dead context: %v", err)
	}
	if err := f.RunInTx(ctx, func(context.Context, *engine.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("unit with a dead context: %v", err)
	}
	want(t, "in use", f.Stats().InUse, 0)
}

// testScanErrors checks that the error of a value that does not fit names its
// column and does not contain the value.
func testScanErrors(t *testing.T, f *fixture) {
	f.tables()
	f.exec(f, "UPDATE parent SET code = ?", "hunter2")
	st := engine.Text("SELECT id, code FROM parent")
	cur := must[engine.Cursor](t)(f.Query(t.Context(), st))
	if !cur.Next() {
		t.Fatal(cur.Err())
	}
	var id, n int64
	fromCursor := cur.Scan(&id, &n)
	f.ok(cur.Close())
	row := must[engine.Row](t)(must[*engine.Result](t)(f.Execute(t.Context(), st)).One())
	_, fromScalar := engine.Scalars[int](t.Context(), f, engine.Text("SELECT code, id FROM parent"))
	_, fromAll := engine.All[struct {
		ID   int64
		Code int
	}](t.Context(), f, st)
	for what, err := range map[string]error{"cursor": fromCursor, "row": row.Scan(&id, &n), "scalar": fromScalar, "all": fromAll} {
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "code") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// explosive is a value whose Scan panics.
type explosive struct{}

// Scan implements [database/sql.Scanner].
func (*explosive) Scan(any) error { panic("no value for you") }

// testPanickingScanner has a Scanner panic: the connection is free afterwards.
func testPanickingScanner(t *testing.T, f *fixture) {
	f.items(3)
	survive := func(what string, ex engine.Executor, read func()) {
		t.Helper()
		func() {
			defer func() { want[any](t, what, recover(), "no value for you") }()
			read()
		}()
		want(t, "rows after "+what, f.count(ex), int64(3))
	}
	both := func(ex engine.Executor) {
		survive("all", ex, func() { _, _ = engine.All[explosive](t.Context(), ex, engine.Text(allIDs)) })
		survive("each", ex, func() {
			for _, err := range engine.Each[explosive](t.Context(), ex, engine.Text(allIDs)) {
				t.Error("a row was read, error", err)
			}
		})
	}
	both(f)
	c := f.connect()
	both(c)
	f.end(c)
}
