package term_test

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// item is a table of every kind of column that the writer knows.
type item struct {
	ID     int64
	Name   string
	Price  *int64
	Made   time.Time
	Tags   []string
	Doc    map[string]any `orm:"doc,json"`
	OwnID  int64
	Secret string `orm:"-"`
}

// owner is another table.
type owner struct {
	ID   int64
	Name string
}

var (
	postgres = &engine.Dialect{System: sp.PostgreSQL, Placeholder: backend.Dollar, Quote: '"', NativeScan: true}
	mysql    = &engine.Dialect{System: sp.MySQL, Placeholder: backend.Question, Quote: '`', Features: backend.Features{Upsert: backend.UpsertOnDuplicateKey}}
	sqlite   = &engine.Dialect{System: sp.SQLite, Placeholder: backend.Question, Quote: '"'}

	dialects = []*engine.Dialect{postgres, mysql, sqlite}
)

func tableOf[T any](t testing.TB) *mapping.Table {
	t.Helper()
	table, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// rowOf is the struct whose fields stand for the columns of a table.
func rowOf[T any](t testing.TB) *T {
	t.Helper()
	return (*T)(tableOf[T](t).Row())
}

// column is the column of a field.
func column[T any](field *T) *term.Column { return new(columnOf(field)) }

func columnOf[T any](field *T) term.Column {
	return term.Column{Field: memory.Pointer(field), Type: reflect.TypeFor[T]()}
}

// equal is a field beside a value.
func equal[T any](field *T, v any) *term.Compare {
	return &term.Compare{Column: columnOf(field), Op: "=", Value: v}
}

// written is what a writer for queries of items makes of a node.
func written(t testing.TB, d *engine.Dialect, n term.Node) (text string, args []any, err error) {
	t.Helper()
	w := term.Writing(d)
	w.Open(term.RowOf(d, tableOf[item](t)))
	w.Node(n)
	return w.Done()
}

// golden is a node, what it is written as, and the arguments: on PostgreSQL, MySQL
// and SQLite. A text that is missing is the one before it, with question marks and
// quotes of the dialect's own.
type golden struct {
	node  term.Node
	texts []string
	args  []any
}

func (g golden) check(t *testing.T) {
	t.Helper()
	for i, d := range dialects {
		want := g.texts[min(i, len(g.texts)-1)]
		if i >= len(g.texts) {
			if want = parameter.ReplaceAllString(want, "?"); d == mysql {
				want = strings.ReplaceAll(want, `"`, "`")
			} else {
				want = strings.ReplaceAll(want, "`", `"`)
			}
		}
		text, args, err := written(t, d, g.node)
		if err != nil || text != want {
			t.Errorf("%s, %v\n got %s\nwant %s", d.System, err, text, want)
		}
		if got, want := fmt.Sprintf("%#v", args), fmt.Sprintf("%#v", g.args); got != want { // an int is sent as an int64
			t.Errorf("%s, %s: arguments %s, want %s", d.System, text, got, want)
		}
	}
}

// parameter is one of PostgreSQL's, which may say its type.
var parameter = regexp.MustCompile(`\$\d+(::[a-z ]+[a-z])?`)
