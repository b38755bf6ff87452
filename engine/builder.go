package engine

import (
	"context"
	"fmt"
)

// The builders that [From] knows, by the method that renders them.
type (
	toSQLBuilder interface { // squirrel
		ToSql() (string, []any, error) //nolint:staticcheck // the builder's name
	}
	toSQLUpper interface { // goqu
		ToSQL() (string, []any, error)
	}
	plainBuilder interface { // go-sqlbuilder
		Build() (string, []any)
	}
	querier interface { // ent's dialect/sql
		Query() (string, []any)
	}
	contextBuilder interface { // bob
		Build(ctx context.Context) (string, []any, error)
	}
)

// From makes a statement from the output of a query builder, or from SQL text:
// a value with a method
//
//	ToSql() (string, []any, error)                     // squirrel
//	ToSQL() (string, []any, error)                     // goqu
//	Build() (string, []any)                            // go-sqlbuilder
//	Query() (string, []any)                            // ent's dialect/sql
//	Build(ctx context.Context) (string, []any, error)  // bob
//
// or a string, or a [Statement], which is returned as it is. Placeholders are
// rewritten for the database, like those of [Text]. For anything else From
// returns a statement whose Render returns an error that names the type.
func From(builder any) Statement {
	switch b := builder.(type) {
	case Statement:
		return b
	case string:
		return Text(b)
	}
	return built{builder}
}

// built is a statement made by a builder.
type built struct{ builder any }

// Render implements [Statement].
func (b built) Render(d *Dialect) (string, []any, error) {
	text, args, err := b.build()
	if err != nil {
		return "", nil, fmt.Errorf("build %T: %w", b.builder, err)
	}
	return Text(text, args...).Render(d)
}

func (b built) build() (text string, args []any, err error) {
	switch x := b.builder.(type) {
	case toSQLBuilder:
		return x.ToSql()
	case toSQLUpper:
		return x.ToSQL()
	case contextBuilder:
		return x.Build(context.Background())
	case plainBuilder:
		text, args = x.Build()
		return text, args, nil
	case querier:
		text, args = x.Query()
		return text, args, nil
	}
	return "", nil, fmt.Errorf("it has none of the methods ToSql, ToSQL, Build and Query of the builders that are known")
}
