package dml

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
)

// defaultOf is SQL for a column's default in an UPDATE; "" if there is none.
func (x *Statements) defaultOf(col int) string {
	if x.dialect.Features.DefaultKeyword {
		return "DEFAULT"
	}
	if e := x.Table.Columns[col].Expression; e != "" {
		return "(" + e + ")"
	}
	return ""
}

// Unsaid returns those of the columns for whose default an UPDATE has no SQL:
// SQLite has no word for it, and the tag does not say it.
func (x *Statements) Unsaid(defaults []int) []int {
	return slices.DeleteFunc(slices.Clone(defaults), func(i int) bool { return x.defaultOf(i) != "" })
}

// LearnDefaults returns the text of [Statements.TakeOverShape] with the defaults of
// further columns, which it reads from SQLite's definition of the table.
func (x *Statements) LearnDefaults(ctx context.Context, conn *engine.Conn, s *Shape, unsaid []int) (text string, err error) {
	from, args := "SELECT name, dflt_value FROM pragma_table_info(?)", []any{x.Table.Name}
	if x.Table.Schema != "" {
		from, args = "SELECT name, dflt_value FROM pragma_table_info(?, ?)", append(args, x.Table.Schema)
	}
	cur, err := conn.Query(ctx, &Bound{Text: from, Args: args})
	if err != nil {
		return "", fmt.Errorf("the defaults of %s: %w", x.Table.FullName(), err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	said := map[string]string{}
	for cur.Next() {
		var name string
		var expression *string
		if err := cur.Scan(&name, &expression); err != nil {
			return "", err
		}
		said[name] = "NULL"
		if expression != nil {
			said[name] = "(" + *expression + ")"
		}
	}
	if err := cur.Err(); err != nil {
		return "", err
	}
	b := &builder{Statements: x}
	b.takeOver(s, slices.Concat(s.Defaults, unsaid), func(col int) string {
		if e := x.defaultOf(col); e != "" {
			return e
		}
		return said[x.Table.Columns[col].Name]
	})
	return string(b.buf), nil
}

// takeOver is UPDATE of one row, some of whose columns get their defaults.
func (b *builder) takeOver(s *Shape, defaults []int, defaultOf func(col int) string) {
	b.assignments(s.Cols)
	for i, c := range defaults {
		if i > 0 || len(s.Cols) > 0 {
			b.write(", ")
		}
		b.write(b.Columns[c] + " = " + defaultOf(c))
	}
	b.where(b.Table.Version != nil)
	b.returning(s.Returning)
}
