package engine_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

var (
	postgres = &engine.Dialect{System: sp.PostgreSQL, Placeholder: backend.Dollar, Quote: '"'}
	mariadb  = &engine.Dialect{System: sp.MariaDB, Placeholder: backend.Question, Quote: '`'}
)

func TestTextIsWrittenInTheDatabasesOwnForm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		st          *engine.TextStatement
		pg, my      string
		args, twice []any // in the form of PostgreSQL, and of MySQL if it differs
	}{
		{engine.Text("SELECT 1"), "SELECT 1", "SELECT 1", nil, nil},
		{engine.Text("SELECT ?, ?", 1, "b"), "SELECT $1, $2", "SELECT ?, ?", []any{1, "b"}, nil},
		{engine.Text("SELECT $2, $1, $2", 1, 2), "SELECT $2, $1, $2", "SELECT ?, ?, ?", []any{1, 2}, []any{2, 1, 2}},
		{
			engine.Text("SELECT :a, :b, :a, x::int", engine.Params{"a": 1, "b": 2}),
			"SELECT $1, $2, $1, x::int", "SELECT ?, ?, ?, x::int",
			[]any{1, 2},
			[]any{1, 2, 1},
		},
		{engine.Text("SELECT :a", sql.Named("a", 7)), "SELECT $1", "SELECT ?", []any{7}, nil},
		{engine.Text("SELECT :a", map[string]any{"a": 7}), "SELECT $1", "SELECT ?", []any{7}, nil},
		{engine.Text("SELECT '?', ?", 7), "SELECT '?', $1", "SELECT '?', ?", []any{7}, nil},
		{
			engine.Text("SELECT 1 WHERE a IN (?) AND b = ?", []int{3, 4}, 5),
			"SELECT 1 WHERE a IN ($1, $2) AND b = $3", "SELECT 1 WHERE a IN (?, ?) AND b = ?",
			[]any{3, 4, 5},
			nil,
		},
	} {
		for d, want := range map[*engine.Dialect]string{postgres: tt.pg, mariadb: tt.my} {
			text, args, err := tt.st.Render(d)
			wanted := tt.args
			if d == mariadb && tt.twice != nil {
				wanted = tt.twice
			}
			if err != nil || text != want || !slices.Equal(args, wanted) {
				t.Errorf("%s for %s: %q %v %v, want %q %v", tt.st, d.System, text, args, err, want, wanted)
			}
		}
	}
}

func TestAMapWithoutNamesInTheTextIsAValue(t *testing.T) {
	t.Parallel()
	doc := map[string]any{"a": 1}
	_, args, err := engine.Text("INSERT INTO t VALUES ($1)", doc).Render(postgres)
	if err != nil || len(args) != 1 {
		t.Fatal(args, err)
	}
}

// parameterMistakes are statements with one mistake each, and what their error
// has to name.
var parameterMistakes = []struct {
	st    engine.Statement
	names string
}{
	{engine.Text("SELECT ?"), "parameter 1 has no argument"},
	{engine.Text("SELECT 1", "hunter2"), "argument 1 has no parameter"},
	{engine.Text("SELECT ?, ?", "hunter2"), "parameter 2 has no argument"},
	{engine.Text("SELECT $2", "hunter2", 1), "$1"},
	{engine.Text("SELECT $1, :a", "hunter2"), ":a"},
	{engine.Text("SELECT :a", engine.Params{"b": "hunter2"}), ":a has no argument"},
	{engine.Text("SELECT :a", engine.Params{"a": 1, "b": "hunter2"}), "argument b has no parameter"},
	{engine.Text("SELECT :a", "hunter2"), ":a has a name"},
	{engine.Text("SELECT ?", engine.Params{"a": "hunter2"}), "no name"},
	{engine.Text("SELECT :a, :b", sql.Named("a", "hunter2"), 1), "argument 2"},
	{engine.Text("SELECT :a, :b", 1, sql.Named("a", "hunter2")), "argument 2"},
	{engine.Text("SELECT :a", sql.Named("a", "hunter2"), sql.Named("a", 2)), "a is given twice"},
	{engine.Text("SELECT 1 WHERE 1 IN (?)", []string{}), "parameter 1"},
	{engine.Text("SELECT 1 WHERE 1 IN (:ids)", engine.Params{"ids": []int{}}), ":ids"},
	{engine.From(42), "int"},
	{nil, "nil"},
	{engine.From(failing{}), "failing"},
}

type failing struct{}

func (failing) ToSql() (string, []any, error) { return "", nil, errors.New("it is broken") } //nolint:staticcheck // the builder's name

func TestMistakesInParametersAreNamed(t *testing.T) {
	t.Parallel()
	e := open(t)
	for i, m := range parameterMistakes {
		_, err := e.Execute(t.Context(), m.st)
		if err == nil || !strings.Contains(err.Error(), m.names) {
			t.Errorf("%d, %v: the error %v does not name %s", i, m.st, err, m.names)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d, %v: the error shows an argument: %v", i, m.st, err)
		}
	}
}

type (
	squirrel struct{}
	goqu     struct{}
	builder  struct{}
	ent      struct{}
)

func (squirrel) ToSql() (string, []any, error) { return "SELECT ?", []any{1}, nil } //nolint:staticcheck // the builder's name
func (goqu) ToSQL() (string, []any, error)     { return "SELECT ?", []any{1}, nil }
func (builder) Build() (string, []any)         { return "SELECT ?", []any{1} }
func (ent) Query() (string, []any)             { return "SELECT $1", []any{1} }

func TestBuildersAreStatements(t *testing.T) {
	t.Parallel()
	e := open(t)
	for _, b := range []any{squirrel{}, goqu{}, builder{}, ent{}, "SELECT 1", engine.Text("SELECT ?", 1)} {
		res, err := e.Execute(t.Context(), engine.From(b))
		if err != nil {
			t.Errorf("%T: %v", b, err)
			continue
		}
		if n, err := res.ScalarOne(); err != nil || n != int64(1) {
			t.Errorf("%T gives %v, %v", b, n, err)
		}
	}
}

func TestRenderingANativeTextAllocatesNothing(t *testing.T) {
	st := engine.Text("SELECT a FROM t WHERE b = ? AND c = ?", 1, "x")
	if n := alloctest.PerRun(100, func() {
		if _, _, err := st.Render(mariadb); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
