package sqltext_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"pgregory.net/rapid"
)

// numbers returns 0, 1, 2 … as arguments.
func numbers(n int) []any {
	args := make([]any, n)
	for i := range args {
		args[i] = i
	}
	return args
}

// FuzzParameters holds what is true of any text: compiling it gives a clear
// error or a text that is a fixed point, whose placeholders fit its arguments,
// with and without lists.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{
		"SELECT ?, $1, :a, @b, ?2", "x IN (?, ?) AND y IN :ids", "a[1:n] ::x :y:z ?:k", "d ?? 'k' ?| x @? ?", "LIMIT?OFFSET?1$$?$$",
		"'?", "--?\n?", "/*!?*/?", "IN (((?))) IN (SELECT ?)", "x IN (?", "$$?", "U&'?' E?'' :e'x'", "[?] [:a :b]", "$1$2", "?$1", "x??1", "::::a", "0.?", "0E+:a", "??0$0?",
	} {
		for d := range uint8(4) {
			f.Add(d, seed)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, text string) {
		d := dialects[int(n)%len(dialects)]
		template, err := sqltext.Compile(d, text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "parameter") || len(err.Error()) > len(text)+100 {
				t.Errorf("an error that says nothing: %v", err)
			}
			return
		}
		args := numbers(template.Count())
		same(t, d, template, args)
		for i := range args {
			args[i] = []int{10 * i, 10*i + 1}
		}
		same(t, d, template, args)
	})
}

// same binds a text and reads what it gives with the compiler again.
func same(t *testing.T, d sqltext.Dialect, template *sqltext.Template, args []any) {
	t.Helper()
	out, bound, err := bindAny(template, args)
	if err != nil {
		t.Fatalf("%q: %v", template.Source(), err)
	}
	if len(bound) == 0 {
		return // with no parameter left, a ? that was escaped is one again
	}
	again, err := sqltext.Compile(d, out)
	if err != nil {
		t.Fatalf("%q gives %q: %v", template.Source(), out, err)
	}
	once, rebound, err := again.Bind(bound)
	if err != nil || once != out || len(rebound) != len(bound) || fmt.Sprint(rebound) != fmt.Sprint(bound) {
		t.Errorf("%q gives %q %v,\nwhich gives %q %v, %v", template.Source(), out, bound, once, rebound, err)
	}
	want := sqltext.Positional
	if d == sqltext.PostgreSQL {
		want = sqltext.Numbered
	}
	if again.Style() != want || again.Count() != len(bound) {
		t.Errorf("%q gives %q: style %d, %d parameters for %v", template.Source(), out, again.Style(), again.Count(), bound)
	}
}

// bindAny binds arguments by place, or by name in the order of the names.
func bindAny(template *sqltext.Template, args []any) (string, []any, error) {
	if template.Style() != sqltext.Named {
		return template.Bind(args)
	}
	names := template.Names()
	return template.BindFunc(func(name string) (any, bool) { return args[slices.Index(names, name)], true })
}

// decoys hold no parameter, by dialect.
var decoys = map[sqltext.Dialect][]string{
	sqltext.PostgreSQL: {
		"'?'", "':a'", `"$1?"`, "$$ ? :a $1 $$", "$t$ :a $$ ? $t$", `E'\'?:a'`, "U&'?'", "/* ? /* :a */ $1 */", "-- ? :a $1\n", "x::text",
		"x[1:n]", "x[a :n]", "'k':v", "d @? p",
	},
	sqltext.MySQL: {
		"'?'", `'\':a'`, "\":a ?\"", "`?:a`", "# ? :a\n", "-- ? :a\n", "/* ? :a */", "@x:=1", "@x", "@@y", "x'00'", "_utf8'?'",
	},
	sqltext.SQLite: {"'?'", "':a'", `"?"`, "`?`", "[?:a]", "-- ? :a @b $c\n", "/* ? */", "x'00'", "x ->> '$.a'"},
}

// TestParametersAmongDecoysAreFound builds statements of pieces whose
// parameters are known, and compares with what the pieces say.
func TestParametersAmongDecoysAreFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]sqltext.Dialect{pg, mysql, sqlite}).Draw(t, "dialect")
		style := rapid.SampledFrom([]sqltext.Style{sqltext.Positional, sqltext.Numbered, sqltext.Named}).Draw(t, "style")
		var text, want strings.Builder
		var args, wantArgs []any
		first := map[int]int{} // by number: its placeholder
		write := func(s string) { text.WriteString(s); want.WriteString(s) }
		for range rapid.IntRange(1, 12).Draw(t, "pieces") {
			write(rapid.SampledFrom([]string{" ", " = ", ",", "\n", "(", " AND "}).Draw(t, "between"))
			if rapid.Bool().Draw(t, "decoy") {
				write(rapid.SampledFrom(decoys[d]).Draw(t, "piece"))
				continue
			}
			// A number that stood before, or the next.
			n := rapid.IntRange(1, len(args)+1).Draw(t, "number")
			if n > len(args) || style == sqltext.Positional {
				n = len(args) + 1
				args = append(args, n)
			}
			text.WriteString([]string{"?", fmt.Sprintf("$%d", n), fmt.Sprintf(":p%d", n)}[style-1])
			if first[n] == 0 || d != pg {
				wantArgs = append(wantArgs, n)
				first[n] = len(wantArgs)
			}
			if d == pg {
				fmt.Fprintf(&want, "$%d", first[n])
			} else {
				want.WriteString("?")
			}
		}
		template, err := sqltext.Compile(d, text.String())
		if err != nil {
			t.Fatalf("%q: %v", text.String(), err)
		}
		got, bound, err := bindAny(template, args)
		if err != nil || got != want.String() || !slices.Equal(bound, wantArgs) {
			t.Fatalf("%q\n got %q %v, %v\nwant %q %v", text.String(), got, bound, err, want.String(), wantArgs)
		}
	})
}
