package term_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	id, name := column(&r.ID), column(&r.Name)
	one := equal(&r.ID, 1)
	for _, g := range []golden{
		{&term.Junction{Word: "AND"}, []string{"1 = 1"}, nil},
		{&term.Junction{Word: "OR"}, []string{"1 = 0"}, nil},
		{&term.Not{Of: one}, []string{`NOT ("id" = $1)`}, list(1)},
		{&term.Is{Of: &term.Binary{Left: id, Op: "=", Right: name}}, []string{`("id" = "name")`}, nil},
		{&term.Binary{Left: id, Op: "<", Right: &term.Value{V: 1}}, []string{`"id" < $1`}, list(1)},
		{&term.Unary{Of: id, Word: "IS NULL"}, []string{`"id" IS NULL`}, nil},
		{&term.Like{Of: name, Pattern: "a%"}, []string{`"name" LIKE $1`}, list("a%")},
		{&term.Like{Of: name, Pattern: "a!%", Fold: true, Escape: '!'}, []string{`lower("name") LIKE lower($1) ESCAPE '!'`}, list("a!%")},
		{&term.Differs{Of: id, Value: 1}, []string{`"id" IS DISTINCT FROM $1`, "NOT (`id` <=> ?)", `"id" IS NOT ?`}, list(1)},

		// NULL among values, and as one.
		{equal(&r.Price, nil), []string{`"price" IS NULL`}, nil},
		{&term.Compare{Column: columnOf(&r.Price), Op: "<>", Value: (*int64)(nil)}, []string{`"price" IS NOT NULL`}, nil},
		{&term.Binary{Left: column(&r.Price), Op: "<>", Right: &term.Value{}}, []string{`"price" IS NOT NULL`}, nil},
		{&term.In{Of: id, Values: list(1, 2)}, []string{`"id" IN ($1, $2)`}, list(1, 2)},
		{&term.In{Of: id, Values: list(1), Not: true}, []string{`"id" NOT IN ($1)`}, list(1)},
		{&term.In{Of: id, Values: list(1, nil)}, []string{`("id" IN ($1) OR "id" IS NULL)`}, list(1)},
		{&term.In{Of: id, Values: list(nil, 1), Not: true}, []string{`("id" NOT IN ($1) AND "id" IS NOT NULL)`}, list(1)},
		{&term.In{Of: id, Values: list(nil)}, []string{`"id" IS NULL`}, nil},
		{&term.In{Of: id, Values: list(nil), Not: true}, []string{`"id" IS NOT NULL`}, nil},
		{&term.In{Of: id}, []string{"1 = 0"}, nil},
		{&term.In{Of: id, Not: true}, []string{"1 = 1"}, nil},

		// Of queries inside.
		{&term.Exists{Of: inner(1)}, []string{"EXISTS (SELECT $1)"}, list(1)},
		{&term.Among{Of: id, Sub: inner(1)}, []string{`"id" IN (SELECT $1)`}, list(1)},
		{&term.Among{Of: id, Sub: inner(1), Not: true}, []string{`"id" NOT IN (SELECT $1)`}, list(1)},
	} {
		g.check(t)
	}
}

// inner is a query inside another one.
func inner(v any) *term.Sub {
	return &term.Sub{Body: func(w *term.Writer) {
		defer w.Open()()
		w.Raw("SELECT ")
		w.Node(&term.Value{V: v})
	}}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	id, name := column(&r.ID), column(&r.Name)
	two := &term.Typed{V: 2, Type: reflect.TypeFor[int]()}
	word := &term.Typed{V: "x", Type: reflect.TypeFor[string]()}
	for _, g := range []golden{
		{&term.Call{Name: "count", Args: []term.Node{term.Star{}}}, []string{"count(*)"}, nil},
		{&term.Call{Name: "max", Distinct: true, Args: []term.Node{id}}, []string{`max(DISTINCT "id")`}, nil},
		{&term.Call{Name: "pg_catalog.abs", Args: []term.Node{id, two}}, []string{`pg_catalog.abs("id", $1::bigint)`}, list(int64(2))},
		// The database knows the type of a value beside something else.
		{&term.Arith{Left: id, Op: '+', Right: two}, []string{`("id" + $1)`}, list(int64(2))},
		{&term.Arith{Left: two, Op: '-', Right: id}, []string{`($1 - "id")`}, list(int64(2))},
		{&term.Arith{Left: two, Op: '*', Right: two}, []string{"($1::bigint * $2::bigint)"}, list(int64(2), int64(2))},
		{&term.Arith{Left: id, Op: '/', Right: two, Integer: true}, []string{`("id" / $1)`, "(`id` DIV ?)", `("id" / ?)`}, list(int64(2))},
		{&term.Arith{Left: &term.Arith{Left: id, Op: '+', Right: id}, Op: '%', Right: id}, []string{`(("id" + "id") % "id")`}, nil},
		{&term.Joined{Of: []term.Node{name, word}}, []string{`("name" || $1::text)`, "concat(`name`, ?)", `("name" || ?)`}, list("x")},
		{&term.Cast{Of: two, As: "numeric(10, 2)"}, []string{"CAST($1 AS numeric(10, 2))"}, list(int64(2))},
		{
			&term.Case{When: []term.Branch{{If: equal(&r.ID, 1), Then: word}, {If: &term.Is{Of: id}, Then: name}}, Else: word},
			[]string{`CASE WHEN "id" = $1 THEN $2::text WHEN "id" THEN "name" ELSE $3::text END`},
			list(1, "x", "x"),
		},
		{&term.Template{Text: `f(?, '?', "??", ??) ?`, Args: []term.Node{name, equal(&r.ID, 1)}}, []string{`f("name", '?', "??", ?) "id" = $1`, "f(`name`, '?', \"??\", ?) `id` = ?", `f("name", '?', "??", ?) "id" = ?`}, list(1)},
		{&term.Order{Of: name, Word: " DESC"}, []string{`"name" DESC`}, nil},
		{&term.Order{Of: name, Nulls: "FIRST"}, []string{`"name" NULLS FIRST`, "`name` IS NOT NULL, `name`", `"name" NULLS FIRST`}, nil},
		{&term.Order{Of: name, Word: " DESC", Nulls: "LAST"}, []string{`"name" DESC NULLS LAST`, "`name` IS NULL, `name` DESC", `"name" DESC NULLS LAST`}, nil},
		{
			&term.Path{Of: column(&r.Doc), Path: []any{"a b", 2}, Type: reflect.TypeFor[string]()},
			[]string{`("doc" -> 'a b' ->> 2)`, "JSON_UNQUOTE(JSON_EXTRACT(`doc`, '$.\"a b\"[2]'))", `json_extract("doc", '$."a b"[2]')`},
			nil,
		},
		{
			&term.Path{Of: column(&r.Doc), Path: []any{"n"}, Type: reflect.TypeFor[*int64]()},
			[]string{`("doc" ->> 'n')::bigint`, "CAST(JSON_UNQUOTE(JSON_EXTRACT(`doc`, '$.\"n\"')) AS SIGNED)", `json_extract("doc", '$."n"')`},
			nil,
		},
	} {
		g.check(t)
	}
	text, args, err := written(t, postgres, &term.Path{Of: column(&r.Doc), Path: []any{"it's"}, Type: reflect.TypeFor[string]()})
	if err != nil || text != `("doc" ->> 'it''s')` || args != nil {
		t.Error(text, args, err)
	}
}

func TestArraysArePostgreSQLs(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	tags := column(&r.Tags)
	for want, a := range map[string]*term.Array{
		`$1 = ANY("tags")`: {Of: tags, Op: "ANY", Value: "x"},
		`"tags" @> $1`:     {Of: tags, Op: "@>", Value: []string{"x"}},
	} {
		text, args, err := written(t, postgres, a)
		if err != nil || text != want || !reflect.DeepEqual(args, list(a.Value)) {
			t.Errorf("%s %v, %v, want %s", text, args, err, want)
		}
		for _, d := range []*term.Array{a, {Of: column(&r.Doc), Op: a.Op, Value: a.Value}} {
			if _, _, err := written(t, mysql, d); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("on MySQL: %v", err)
			}
		}
	}
	if _, _, err := written(t, postgres, &term.Array{Of: column(&r.Doc), Op: "ANY", Value: 1}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("of a document: %v", err)
	}
}

// TestMistakes holds that nothing is written that would mean something else, or
// nothing at all.
func TestMistakes(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	id := column(&r.ID)
	for want, n := range map[string]term.Node{
		`"now()" is no name of a function`:       &term.Call{Name: "now()"},
		`"1st" is no name of a function`:         &term.Call{Name: "1st"},
		`".abs" is no name of a function`:        &term.Call{Name: ".abs"},
		`"" is no name of a function`:            &term.Call{},
		`"int); DROP TABLE x" is no type of SQL`: &term.Cast{Of: id, As: "int); DROP TABLE x"},
		`"" is no type of SQL`:                   &term.Cast{Of: id},
		"a quote is not closed":                  &term.Template{Text: "f('?)", Args: []term.Node{id}},
		"2 arguments for 1 question marks":       &term.Template{Text: "f(?)", Args: []term.Node{id, id}},
		"0 arguments for 1 question marks":       &term.Template{Text: "f(?)"},
		"a path into JSON has no parts":          &term.Path{Of: id},
		"strings and ints, and no float64":       &term.Path{Of: id, Path: []any{1.5}, Type: reflect.TypeFor[string]()},
		"a comparison < NULL is never true":      &term.Compare{Column: columnOf(&r.Price), Op: "<"},
		"a comparison >= NULL is never true":     &term.Binary{Left: id, Op: ">=", Right: &term.Value{}},
		"the escape character 'é' of LIKE":       &term.Like{Of: id, Escape: 'é'},
		"the escape character '\\\\' of LIKE":    &term.Like{Of: id, Escape: '\\'},
	} {
		for _, d := range dialects {
			if text, _, err := written(t, d, n); err == nil || !strings.Contains(err.Error(), want) || text != "" {
				t.Errorf("%s: %q, %v, want %q", d.System, text, err, want)
			}
		}
	}
	for _, d := range []*term.Path{
		{Of: id, Path: []any{`say "a"`}, Type: reflect.TypeFor[string]()},
		{Of: id, Path: []any{`a\`}, Type: reflect.TypeFor[string]()},
	} {
		if _, _, err := written(t, sqlite, d); err == nil || !strings.Contains(err.Error(), "has a quote") {
			t.Error(err)
		}
	}
}
