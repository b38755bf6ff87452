package sqltext_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

const (
	pg     = sqltext.PostgreSQL
	mysql  = sqltext.MySQL
	sqlite = sqltext.SQLite
)

// named are the arguments of the texts with names.
var named = map[string]any{
	"a": "A", "b": "B", "n": "N", "id": "ID", "lo": "LO", "hi": "HI", "x": "X", "größe": "G", "_u1": "U",
	"ids": []int{7, 8, 9}, "one": []string{"o"}, "raw": []byte("r"),
}

// bind compiles a text and binds it: by name if it has names, or else to args.
func bind(d sqltext.Dialect, text string, args []any) (string, []any, error) {
	t, err := sqltext.Compile(d, text)
	if err != nil {
		return "", nil, err
	}
	if t.Style() == sqltext.Named && args == nil {
		return t.BindFunc(func(name string) (any, bool) {
			v, ok := named[name]
			return v, ok
		})
	}
	return t.Bind(args)
}

func list(vs ...any) []any { return vs }

func TestParametersBecomeTheDialectsOwn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d          sqltext.Dialect
		text       string
		args       []any
		want       string
		wantedArgs []any
	}{
		{pg, "SELECT 1", nil, "SELECT 1", nil},
		{pg, "", nil, "", nil},
		// Each style in each dialect.
		{pg, "SELECT ?, ?", list(1, 2), "SELECT $1, $2", list(1, 2)},
		{pg, "SELECT $2, $1", list(1, 2), "SELECT $2, $1", list(1, 2)},
		{pg, "SELECT ?2, ?1, ?2", list(1, 2), "SELECT $2, $1, $2", list(1, 2)},
		{pg, "SELECT :a, :b, :a", nil, "SELECT $1, $2, $1", list("A", "B")},
		{mysql, "SELECT ?, ?", list(1, 2), "SELECT ?, ?", list(1, 2)},
		{mysql, "SELECT $2, $1, $2", list(1, 2), "SELECT ?, ?, ?", list(2, 1, 2)},
		{mysql, "SELECT ?2, ?1", list(1, 2), "SELECT ?, ?", list(2, 1)},
		{mysql, "SELECT :a, :b, :a", nil, "SELECT ?, ?, ?", list("A", "B", "A")},
		{sqlite, "SELECT ?, ?", list(1, 2), "SELECT ?, ?", list(1, 2)},
		{sqlite, "SELECT ?2, ?1, ?2", list(1, 2), "SELECT ?, ?, ?", list(2, 1, 2)},
		{sqlite, "SELECT $1, $2", list(1, 2), "SELECT ?, ?", list(1, 2)},
		{sqlite, "SELECT :a, @b, $a", nil, "SELECT ?, ?, ?", list("A", "B", "A")},
		{sqltext.Generic, "SELECT :a, 'x'", nil, "SELECT ?, 'x'", list("A")},
		// What only looks like a parameter.
		{pg, `SELECT '?', "?", E'\'?', $$?$$, $q$ :a $1 $q$, ? -- ? :b` + "\n", list(1), `SELECT '?', "?", E'\'?', $$?$$, $q$ :a $1 $q$, $1 -- ? :b` + "\n", list(1)},
		{pg, "SELECT /* ? /* :a */ $9 */ ?", list(1), "SELECT /* ? /* :a */ $9 */ $1", list(1)},
		{pg, "DO $body$ BEGIN PERFORM :a, ?, $1; END $body$", nil, "DO $body$ BEGIN PERFORM :a, ?, $1; END $body$", nil},
		{mysql, "SELECT \"?\", `?`, 'it''s \\'?', ? # :a ?", list(1), "SELECT \"?\", `?`, 'it''s \\'?', ? # :a ?", list(1)},
		{mysql, "SELECT @x:=1, @y := :a, 1--:b\n", nil, "SELECT @x:=1, @y := ?, 1--?\n", list("A", "B")},
		{mysql, "SELECT /*!50000 ?, */ /* ? */ ?", list(1, 2), "SELECT /*!50000 ?, */ /* ? */ ?", list(1, 2)},
		{sqlite, `SELECT [?], "?", x'00', '?:a', ?`, list(1), `SELECT [?], "?", x'00', '?:a', ?`, list(1)},
		// Colons.
		{pg, "SELECT a::text, :a::int, ':b'::text", nil, "SELECT a::text, $1::int, ':b'::text", list("A")},
		{pg, "SELECT x[1:2], x[1:n], x[i :n], x[f(i) :n], :a", nil, "SELECT x[1:2], x[1:n], x[i :n], x[f(i) :n], $1", list("A")},
		{pg, "SELECT x[:lo : :hi], ARRAY[:a, :b], x[:n]", nil, "SELECT x[$1 : $2], ARRAY[$3, $4], x[$5]", list("LO", "HI", "A", "B", "N")},
		{pg, "SELECT x[(:lo):(:hi)]", nil, "SELECT x[($1):($2)]", list("LO", "HI")},
		{pg, "SELECT json_object('k':v, 'l': :a), f(x => :b, y := :n)", nil, "SELECT json_object('k':v, 'l': $1), f(x => $2, y := $3)", list("A", "B", "N")},
		{pg, "SELECT * FROM t WHERE x=:a AND y<>:b AND(:n IS NULL)", nil, "SELECT * FROM t WHERE x=$1 AND y<>$2 AND($3 IS NULL)", list("A", "B", "N")},
		{pg, "SELECT :größe, :_u1", nil, "SELECT $1, $2", list("G", "U")},
		{mysql, "l1:LOOP SET x = ? END LOOP", list(1), "l1:LOOP SET x = ? END LOOP", list(1)},
		{pg, "SELECT :1, ?", list(1), "SELECT :1, $1", list(1)},
		// Operators of jsonb.
		{pg, "SELECT d ?? 'k', d ??| x, d ??& x, d @?? p, x = ?", list(1), "SELECT d ? 'k', d ?| x, d ?& x, d @? p, x = $1", list(1)},
		{pg, "SELECT d ?| x, d ?& x, d @? p, d@?p, x = ?", list(1), "SELECT d ?| x, d ?& x, d @? p, d@?p, x = $1", list(1)},
		{pg, "SELECT d ? 'k', d ?| x, d ?? y, x = $1", list(1), "SELECT d ? 'k', d ?| x, d ?? y, x = $1", list(1)},
		{pg, "SELECT d ? 'k', d ?1, x = :a", nil, "SELECT d ? 'k', d ?1, x = $1", list("A")},
		{pg, "SELECT d ?? 'k'", nil, "SELECT d ? 'k'", nil},
		{pg, "SELECT d ?? ?", list(1), "SELECT d ? $1", list(1)},
		{pg, "SELECT d ???", list(1), "SELECT d ?$1", list(1)},
		{pg, "SELECT ?||'x', x=?|4, (?|4), ?&&x, x<@?, x @@?", list(1, 2, 3, 4, 5, 6), "SELECT $1||'x', x=$2|4, ($3|4), $4&&x, x<@$5, x @@$6", list(1, 2, 3, 4, 5, 6)},
		// A placeholder never joins its neighbours.
		{pg, "SELECT a FROM t LIMIT?OFFSET?", list(1, 2), "SELECT a FROM t LIMIT $1 OFFSET $2", list(1, 2)},
		{pg, "SELECT x$?, ?$$y$$", list(1, 2), "SELECT x$ $1, $2 $$y$$", list(1, 2)},
		{mysql, "SELECT $1from t", list(1), "SELECT ? from t", list(1)},
	}
	for _, test := range tests {
		got, args, err := bind(test.d, test.text, test.args)
		if err != nil || got != test.want || !slices.Equal(args, test.wantedArgs) {
			t.Errorf("%q\n got %q %v, %v\nwant %q %v", test.text, got, args, err, test.want, test.wantedArgs)
		}
	}
}

// money implements driver.Valuer on a slice, which makes it one value.
type money []int

func (m money) Value() (driver.Value, error) { return fmt.Sprint([]int(m)), nil }

func TestListsExpandInIN(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d          sqltext.Dialect
		text       string
		args       []any
		want       string
		wantedArgs []any
	}{
		{mysql, "x IN (?) AND y = ?", list([]int{1, 2, 3}, 4), "x IN (?, ?, ?) AND y = ?", list(1, 2, 3, 4)},
		{sqlite, "y = ? AND x NOT IN (?)", list(4, []any{"a", nil}), "y = ? AND x NOT IN (?, ?)", list(4, "a", nil)},
		{pg, "x IN (?) AND y = ?", list([]int{1, 2, 3}, 4), "x IN ($1, $2, $3) AND y = $4", list(1, 2, 3, 4)},
		{pg, "y = $2 AND x in ( $1 ) OR z = $2", list([]string{"a", "b"}, 4), "y = $1 AND x in ( $2, $3 ) OR z = $1", list(4, "a", "b")},
		{pg, "x IN (:ids) OR y IN (:ids) OR z = :a", nil, "x IN ($1, $2, $3) OR y IN ($1, $2, $3) OR z = $4", list(7, 8, 9, "A")},
		{mysql, "x IN (:ids) OR y IN (:ids) OR z = :a", nil, "x IN (?, ?, ?) OR y IN (?, ?, ?) OR z = ?", list(7, 8, 9, 7, 8, 9, "A")},
		{pg, "x IN (:one) AND y = ANY(:ids)", nil, "x IN ($1) AND y = ANY($2)", list("o", []int{7, 8, 9})},
		{pg, "x IN (:ids) AND y = ANY(:ids)", nil, "x IN ($1, $2, $3) AND y = ANY($4)", list(7, 8, 9, []int{7, 8, 9})},
		{mysql, "x IN (1, ?, f(?, 2), ?)", list([]int{2, 3}, 4, 5), "x IN (1, ?, ?, f(?, 2), ?)", list(2, 3, 4, 5)},
		{mysql, "x IN :ids AND y IN ?", nil, "", nil}, // mixed: see the mistakes
		{mysql, "x IN :ids AND y = :a", nil, "x IN (?, ?, ?) AND y = ?", list(7, 8, 9, "A")},
		{pg, "x in/**/:ids", nil, "x in/**/($1, $2, $3)", list(7, 8, 9)},
		{pg, "x IN?", list([]int{1}), "x IN ($1)", list(1)},
		{pg, "position(? IN ?)", list("a", "b"), "position($1 IN $2)", list("a", "b")},
		// What is one value, or stands where a list can't.
		{mysql, "x IN (?)", list([]byte("ab")), "x IN (?)", list([]byte("ab"))},
		{pg, "x IN (:raw)", nil, "x IN ($1)", list([]byte("r"))},
		{mysql, "x IN (?)", list(money{1, 2}), "x IN (?)", list(money{1, 2})},
		{mysql, "x IN (?)", list([2]int{1, 2}), "x IN (?)", list([2]int{1, 2})},
		{mysql, "x IN (?)", list([][]byte{{1}, {2}}), "x IN (?, ?)", list([]byte{1}, []byte{2})},
		{pg, "x IN (? || 'a', -?)", list([]int{1}, []int{2}), "x IN ($1 || 'a', -$2)", list([]int{1}, []int{2})},
		{pg, "x IN (SELECT y, ? FROM t WHERE z = ANY (?))", list([]int{1}, []int{2}), "x IN (SELECT y, $1 FROM t WHERE z = ANY ($2))", list([]int{1}, []int{2})},
		{pg, "x IN (SELECT ?)", list([]int{1}), "x IN (SELECT $1)", list([]int{1})},
		{pg, "x IN (?::int[])", list([]int{1}), "x IN ($1::int[])", list([]int{1})},
		{pg, "f(?, ?)", list([]int{1}, 2), "f($1, $2)", list([]int{1}, 2)},
		{pg, `"in" (?)`, list([]int{1}), `"in" ($1)`, list([]int{1})},
	}
	for _, test := range tests {
		got, args, err := bind(test.d, test.text, test.args)
		if test.want == "" {
			if err == nil {
				t.Errorf("%q gives %q, want an error", test.text, got)
			}
			continue
		}
		if err != nil || got != test.want || !reflect.DeepEqual(args, test.wantedArgs) {
			t.Errorf("%q\n got %q %v, %v\nwant %q %v", test.text, got, args, err, test.want, test.wantedArgs)
		}
	}
}

func TestMistakesInParametersAreNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d    sqltext.Dialect
		text string
		args any // positional, or named
		want string
	}{
		{pg, "SELECT ?", list(), "parameter 1 has no argument: 1 parameter, 0 arguments; the operator ? is written ??"},
		{pg, "SELECT d ? 'k', ?, ?", list(1, 2), "parameter 3 has no argument: 3 parameters, 2 arguments; the operator ? is written ??"},
		{mysql, "SELECT ?, ?", list(1), "parameter 2 has no argument: 2 parameters, 1 argument"},
		{pg, "SELECT $1, $2", list(1), "parameter $2 has no argument: 2 parameters, 1 argument"},
		{pg, "SELECT $1", list(1, 2, 3), "argument 2 has no parameter: 1 parameter, 3 arguments"},
		{pg, "SELECT 1", list("s3cret"), "argument 1 has no parameter: 0 parameters, 1 argument"},
		{pg, "SELECT $1, $3", list(1, 2, 3), "parameter $2 is not in the text, though $3 is"},
		{pg, "SELECT $0", list(1), "parameter $0: numbers go from 1 to 65535"},
		{pg, "SELECT $65536", list(1), "parameter $65536: numbers go from 1 to 65535"},
		{sqlite, "SELECT ?99999999999999999999", list(1), "parameter ?99999999999999999999: numbers go from 1 to 65535"},
		{mysql, "SELECT ?, :a", list(1), "parameters ? and :a: a text has one style, ?, $1 or :name"},
		{pg, "SELECT $1, :a", list(1), "parameters $1 and :a: a text has one style, ?, $1 or :name"},
		{pg, "SELECT ?, ?2", list(1), "parameters ? and ?2: a text has one style, ?, $1 or :name"},
		{sqlite, "SELECT @a, $1", list(1), "parameters @a and $1: a text has one style, ?, $1 or :name"},
		{pg, "SELECT :a", list(1), "parameter :a has a name, and the arguments have none"},
		{pg, "SELECT :a", list(), "parameter :a has no argument: 1 parameter, 0 arguments"},
		{pg, "SELECT :a, :nix", map[string]any{"a": 1}, "parameter :nix has no argument"},
		{pg, "SELECT :a", map[string]any{"a": 1, "c": 2, "b": 3}, "argument b has no parameter: there is no :b in the text"},
		{pg, "SELECT 1", map[string]any{"b": 3}, "argument b has no parameter: there is no :b in the text"},
		{pg, "SELECT ?", map[string]any{"b": 3}, "parameter 1 has no name, and the arguments have; the operator ? is written ??"},
		{pg, "SELECT $1", map[string]any{"b": 3}, "parameter $1 has no name, and the arguments have"},
		{mysql, "x IN (?)", list([]int{}), "parameter 1: the list is empty, and IN needs at least one element"},
		{pg, "x NOT IN (:a)", map[string]any{"a": []string(nil)}, "parameter :a: the list is empty, and IN needs at least one element"},
	}
	for _, test := range tests {
		template, err := sqltext.Compile(test.d, test.text)
		if err == nil {
			if m, ok := test.args.(map[string]any); ok {
				_, _, err = template.BindNamed(m)
			} else {
				_, _, err = template.Bind(test.args.([]any))
			}
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%q\n got %v\nwant %s", test.text, err, test.want)
		}
		if strings.Contains(test.want, "list is empty") && !errors.Is(err, sqltext.ErrEmptyList) {
			t.Errorf("%q: %v is no ErrEmptyList", test.text, err)
		}
	}
}

func TestTemplateTellsItsArguments(t *testing.T) {
	t.Parallel()
	template, err := sqltext.Compile(sqlite, "SELECT :b, @a, $b")
	if err != nil {
		t.Fatal(err)
	}
	if got := template.Names(); !slices.Equal(got, []string{"b", "a"}) || template.Count() != 2 || template.Style() != sqltext.Named {
		t.Errorf("names %v, count %d, style %d", got, template.Count(), template.Style())
	}
	template.Names()[0] = "changed"
	if template.Names()[0] != "b" {
		t.Error("a caller changed the template")
	}
	if template.Source() != "SELECT :b, @a, $b" || template.Dialect() != sqlite {
		t.Errorf("source %q, dialect %d", template.Source(), template.Dialect())
	}
}

func TestTemplatesAreKept(t *testing.T) {
	t.Parallel()
	store := sqltext.NewTemplates(pg, 16, 0)
	const text = "SELECT :a"
	first, err := store.Of(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := store.Of(text)
	if err != nil || again != first {
		t.Errorf("the same text was compiled twice, %v", err)
	}
	for range 2 {
		if _, err := store.Of("SELECT $0"); err == nil {
			t.Error("a text without a template was not refused")
		}
	}
}

func TestBindingAllocatesNothingWhereTheTextIsTheDialectsOwn(t *testing.T) {
	store := sqltext.NewTemplates(pg, 0, 0)
	for _, test := range []struct {
		text    string
		ceiling float64
	}{
		{"SELECT id, name FROM users WHERE id = $1 AND name = $2", 0},
		{"SELECT id, name FROM users WHERE id = ? AND name = ?", 0},
		{"SELECT id, name FROM users WHERE id IN ($1, $2)", 0},
	} {
		args := list(1, "x")
		if n := alloctest.PerRun(100, func() {
			template, err := store.Of(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := template.Bind(args); err != nil {
				t.Fatal(err)
			}
		}); n > test.ceiling {
			t.Errorf("%q: %v allocations", test.text, n)
		}
	}
	template, err := store.Of("SELECT id, name FROM users WHERE id = :id AND name = :a")
	if err != nil {
		t.Fatal(err)
	}
	if n := alloctest.PerRun(100, func() {
		if _, _, err := template.BindNamed(idAndName); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("names: %v allocations, want the list of arguments alone", n)
	}
}

var idAndName = map[string]any{"id": 1, "a": "x"}

func ExampleCompile() {
	t, err := sqltext.Compile(sqltext.PostgreSQL, "SELECT * FROM users WHERE id IN (:ids) AND note <> ':-)' AND data ? :key")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.BindNamed(map[string]any{"ids": []int{3, 5}, "key": "vip"}))
	fmt.Println(t.BindNamed(map[string]any{"ids": []int{3, 5}}))
	// Output:
	// SELECT * FROM users WHERE id IN ($1, $2) AND note <> ':-)' AND data ? $3 [3 5 vip] <nil>
	//  [] parameter :key has no argument
}

func ExampleTemplate_Bind() {
	store := sqltext.NewTemplates(sqltext.MySQL, 0, 0)
	t, err := store.Of("SELECT * FROM users WHERE id = $1 OR boss = $1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Bind([]any{7}))
	// Output:
	// SELECT * FROM users WHERE id = ? OR boss = ? [7 7] <nil>
}

func BenchmarkBind(b *testing.B) {
	store := sqltext.NewTemplates(pg, 0, 0)
	for _, bench := range []struct {
		name, text string
		args       []any
	}{
		{"native", "SELECT id, name FROM users WHERE id = $1 AND name = $2", list(1, "x")},
		{"list", "SELECT id, name FROM users WHERE id IN (?)", list([]int{1, 2, 3, 4})},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				template, err := store.Of(bench.text)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := template.Bind(bench.args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
