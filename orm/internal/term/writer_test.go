package term_test

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// list is arguments in the order of their parameters.
func list(args ...any) []any { return args }

func TestParametersAreNumberedAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	golden{&term.Junction{Word: "AND", Of: []term.Condition{
		equal(&r.Name, "a"),
		&term.Junction{Word: "OR", Of: []term.Condition{equal(&r.ID, 1), &term.Not{Of: equal(&r.ID, 2)}}},
		&term.Between{Of: column(&r.ID), Lo: 3, Hi: 4},
	}}, []string{
		`"name" = $1 AND ("id" = $2 OR NOT ("id" = $3)) AND "id" BETWEEN $4 AND $5`,
	}, list("a", 1, 2, 3, 4)}.check(t)
}

// TestTextsOfUsersAmongNodes is about texts with parameters of their own, of whatever
// style, whose numbers go on through the statement.
func TestTextsOfUsersAmongNodes(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	for _, text := range []*term.Text{
		{Text: "price BETWEEN ? AND ?", Args: list(1, 2)},
		{Text: "price BETWEEN $1 AND $2", Args: list(1, 2)},
		{Text: "price BETWEEN :least AND :most", Args: list(engine.Params{"least": 1, "most": 2})},
	} {
		golden{&term.Junction{Word: "AND", Of: []term.Condition{
			equal(&r.Name, "a"), text, equal(&r.Name, "b"), &term.Text{Text: "1 = 1"}, equal(&r.Name, "c"),
		}}, []string{
			`"name" = $1 AND ( price BETWEEN $2 AND $3 ) AND "name" = $4 AND ( 1 = 1 ) AND "name" = $5`,
		}, list("a", 1, 2, "b", "c")}.check(t)
	}
	_, _, err := written(t, sqlite, &term.Text{Text: "price > ?"})
	if err == nil {
		t.Error("an argument is missing, and nobody says so")
	}
}

func TestATextComesFirstOrLast(t *testing.T) {
	t.Parallel()
	w := term.Writing(postgres)
	w.Text(engine.Text("UPDATE t SET n = ?", 1))
	w.Raw("WHERE ", "m = ")
	w.Node(&term.Typed{V: 2, Type: reflect.TypeFor[int]()})
	w.Raw(" AND")
	w.Text(engine.Text("o = ?", 3))
	text, args, err := w.Done()
	if want := "UPDATE t SET n = $1 WHERE m = $2::bigint AND o = $3"; err != nil || text != want || !reflect.DeepEqual(args, list(1, int64(2), 3)) {
		t.Errorf("%s %#v, %v, want %s", text, args, err, want)
	}
}

// TestTheFirstMistakeIsTheError holds that a statement with a mistake has no text,
// whatever is written behind it.
func TestTheFirstMistakeIsTheError(t *testing.T) {
	t.Parallel()
	w := term.Writing(sqlite)
	first, second := errors.New("one"), errors.New("two")
	w.Open(term.RowOf(sqlite, tableOf[item](t)))
	w.Raw("SELECT ")
	w.Fail(first)
	w.Fail(second)
	w.Node(&term.Call{Name: "no name"})
	w.Node(equal(&rowOf[item](t).Name, "a"))
	w.Text(engine.Text("?"))
	if text, _, err := w.Done(); !errors.Is(err, first) || errors.Is(err, second) || text != "" {
		t.Errorf("%q, %v", text, err)
	}
	if text, args, err := written(t, sqlite, equal(&rowOf[item](t).Name, "b")); err != nil || text != `"name" = ?` || !reflect.DeepEqual(args, list("b")) {
		t.Errorf("the next statement is %s %v, %v", text, args, err)
	}
}

// TestAWriterTakesNothingAlong holds that what Done has returned is not written to by
// those who use the writer next: neither its text nor its arguments.
func TestAWriterTakesNothingAlong(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	type statement struct {
		text string
		args []any
	}
	write := func(n int) (s statement, err error) {
		of := make([]term.Condition, 0, n+1)
		for range n {
			of = append(of, equal(&r.ID, n))
		}
		if n%3 == 0 {
			of = append(of, &term.Text{Text: "price = ?", Args: list(n)})
		}
		w := term.Writing(postgres)
		w.Open(term.RowOf(postgres, tableOf[item](t)))
		if n%2 == 0 {
			w.Open(term.RowOf(postgres, tableOf[owner](t))) // columns have their tables' names
		}
		w.Node(&term.Junction{Word: "OR", Of: of})
		s.text, s.args, err = w.Done()
		return s, err
	}
	const shapes = 12
	var want [shapes]statement
	for n := range shapes {
		var err error
		if want[n], err = write(n); err != nil {
			t.Fatal(err)
		}
		want[n].text = strings.Clone(want[n].text)
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			var got [shapes]statement
			for i := range 20 * shapes {
				n := (i*(worker+1) + worker) % shapes
				var err error
				if got[n], err = write(n); err != nil {
					t.Error(err)
				}
			}
			for n, s := range got {
				if s.text != "" && !reflect.DeepEqual(s, want[n]) {
					t.Errorf("got %v, want %v", s, want[n])
				}
			}
		})
	}
	wg.Wait()
}
