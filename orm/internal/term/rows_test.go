package term_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// another is a row of a table with a struct and a name of its own.
func another[T any](t *testing.T, name string) (term.Row, *T) {
	t.Helper()
	row := new(T)
	r := term.RowOf(sqlite, tableOf[T](t))
	r.Base, r.Name = memory.Pointer(row), sqlite.QuoteName(name)
	return r, row
}

// TestColumnsHaveNamesOfTablesWhereThereAreSeveral writes a query with two tables, one
// inside it, and what comes behind that.
func TestColumnsHaveNamesOfTablesWhereThereAreSeveral(t *testing.T) {
	t.Parallel()
	items, owners := term.RowOf(sqlite, tableOf[item](t)), term.RowOf(sqlite, tableOf[owner](t))
	i, o := rowOf[item](t), rowOf[owner](t)
	w := term.Writing(sqlite)
	w.Open(items)
	w.Node(equal(&i.Name, "one table"))
	w.Raw("; ")
	w.Node(&term.Sub{Body: func(w *term.Writer) {
		defer w.Open(owners)()
		w.Columns(&owners)
		w.Raw(" ")
		w.Node(&term.Binary{Left: column(&o.ID), Op: "=", Right: column(&i.OwnID)})
	}})
	w.Raw("; ")
	w.Node(column(&i.Name))
	text, _, err := w.Done()
	if want := `"name" = ?; ("owner"."id", "owner"."name" "owner"."id" = "item"."own_id"); "name"`; err != nil || text != want {
		t.Errorf("%v\n got %s\nwant %s", err, text, want)
	}
}

// TestTheInnermostQueryIsLookedAtFirst is about a table that several queries have: a
// field of its struct is the innermost's, until that ends.
func TestTheInnermostQueryIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	outer, inner := term.RowOf(sqlite, tableOf[item](t)), term.RowOf(sqlite, tableOf[item](t))
	inner.Name = `"i"`
	r := rowOf[item](t)
	w := term.Writing(sqlite)
	w.Open(outer)
	done := w.Open(inner)
	w.Node(column(&r.Name))
	done()
	w.Raw(" ")
	w.Node(column(&r.Name))
	if text, _, err := w.Done(); err != nil || text != `"i"."name" "name"` {
		t.Error(text, err)
	}
}

// TestATableTwiceInOneQuery: the query's own row goes before what is joined; between
// two that are joined, a row of its own has to tell.
func TestATableTwiceInOneQuery(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	own, first, second := term.RowOf(sqlite, tableOf[item](t)), term.RowOf(sqlite, tableOf[item](t)), term.RowOf(sqlite, tableOf[item](t))
	first.Name, second.Name = `"first"`, `"second"`
	owners := term.RowOf(sqlite, tableOf[owner](t))
	apart, mine := another[item](t, "mine")
	for name, test := range map[string]struct {
		rows []term.Row
		node term.Node
		want string
	}{
		"the query's own":       {[]term.Row{own, first, second}, column(&r.Name), `"item"."name"`},
		"joined once":           {[]term.Row{owners, first}, column(&r.Name), `"first"."name"`},
		"with a row of its own": {[]term.Row{owners, first, apart}, column(&mine.Name), `"mine"."name"`},
		"beside such a one":     {[]term.Row{owners, first, apart}, column(&r.Name), `"first"."name"`},
	} {
		w := term.Writing(sqlite)
		w.Open(test.rows...)
		w.Node(test.node)
		if text, _, err := w.Done(); err != nil || text != test.want {
			t.Errorf("%s: %s, %v, want %s", name, text, err, test.want)
		}
	}
	w := term.Writing(sqlite)
	w.Open(owners, first, second)
	w.Node(column(&r.Name))
	if _, _, err := w.Done(); err == nil || !strings.Contains(err.Error(), "item.Name is a column of several tables") {
		t.Error(err)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	items := term.RowOf(sqlite, tableOf[item](t))
	apart, mine := another[owner](t, "mine")
	w := term.Writing(sqlite)
	w.Open(items, apart)
	w.Node(&term.Object{Row: memory.Pointer(mine), Type: reflect.TypeFor[owner]()})
	if text, _, err := w.Done(); err != nil || text != `"mine"."id", "mine"."name"` {
		t.Error(text, err)
	}
	w = term.Writing(sqlite)
	w.Open(items)
	w.Node(&term.Object{Row: memory.Pointer(mine), Type: reflect.TypeFor[owner]()})
	if _, _, err := w.Done(); err == nil || !strings.Contains(err.Error(), "the row of owner is none of the query, which has rows of item") {
		t.Error(err)
	}
}

// TestPointersThatAreNoColumns holds the messages, which name what the pointer is.
func TestPointersThatAreNoColumns(t *testing.T) {
	t.Parallel()
	r, o := rowOf[item](t), rowOf[owner](t)
	alone := ""
	for want, c := range map[string]*term.Column{
		"owner.Name is of no row of the query: the query has rows of item":           column(&o.Name),
		"a *string that points into no row is no column: the query has rows of item": column(&alone),
		"a nil *string is no column": column[string](nil),
		"item.Secret of type string": column(&r.Secret),
		"item.ID of type int32":      {Field: memory.Pointer(&r.ID), Type: reflect.TypeFor[int32]()},
	} {
		for _, n := range []term.Node{
			c,
			&term.Compare{Column: *c, Op: "=", Value: "a"},
			&term.Binary{Left: c, Op: "=", Right: &term.Value{V: "a"}},
			&term.In{Of: c, Values: list("a")},
			&term.Order{Of: c},
		} {
			_, _, err := written(t, sqlite, n)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%T: got %v, want %q", n, err, want)
			}
			if strings.Contains(want, "the query has rows of") && !errors.Is(err, mapping.ErrUnknownField) {
				t.Errorf("%T: %v is no unknown field", n, err)
			}
		}
	}
}
