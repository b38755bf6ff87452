package engine

import (
	"database/sql"
	"fmt"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// Params are the arguments of a [Text] by the names of its parameters.
type Params map[string]any

// TextStatement is a statement given as SQL text; see [Text]. It is immutable
// and safe for concurrent use.
type TextStatement struct {
	text string
	args []any
}

// Text returns a statement of SQL text with its arguments. Parameters are
// written in one of three ways, whatever the database's own:
//
//	engine.Text("SELECT … WHERE a = ? AND b IN (?)", a, bs)
//	engine.Text("SELECT … WHERE a = $1 AND b IN ($2)", a, bs)
//	engine.Text("SELECT … WHERE a = :a AND b IN (:bs)", engine.Params{"a": a, "bs": bs})
//
// Named arguments are one [Params], any number of [sql.Named], or a struct,
// whose fields have the names that package scan gives them. A list in IN
// becomes as many parameters as it has elements; an empty one is an error. Text
// that looks like a parameter in a string, a quoted name, a comment or a cast
// is not one. On PostgreSQL the operators ?, ?| and ?& are distinguished from
// parameters: see docs/engine.md.
//
// A parameter without an argument, an argument without a parameter, and mixed
// styles are errors when the statement is used; they name the parameter and
// show no argument.
func Text(text string, args ...any) *TextStatement {
	return &TextStatement{text: text, args: args}
}

// With returns the same text with other arguments.
func (t *TextStatement) With(args ...any) *TextStatement {
	return &TextStatement{text: t.text, args: args}
}

// String returns the SQL text, without arguments.
func (t *TextStatement) String() string { return t.text }

// templates caches the parameters of SQL texts, by dialect.
var templates = [...]*sqltext.Templates{
	sqltext.Generic:    sqltext.NewTemplates(sqltext.Generic, 0, 0),
	sqltext.PostgreSQL: sqltext.NewTemplates(sqltext.PostgreSQL, 0, 0),
	sqltext.MySQL:      sqltext.NewTemplates(sqltext.MySQL, 0, 0),
	sqltext.SQLite:     sqltext.NewTemplates(sqltext.SQLite, 0, 0),
}

// Render implements [Statement].
func (t *TextStatement) Render(d *Dialect) (text string, args []any, err error) {
	template, err := templates[sqltext.DialectOf(string(d.System))].Of(t.text)
	if err != nil {
		return "", nil, err
	}
	if len(t.args) == 1 {
		switch a := t.args[0].(type) {
		case Params:
			return template.BindNamed(a)
		case map[string]any: // without names in the text it is a value
			if template.Style() == sqltext.Named {
				return template.BindNamed(a)
			}
		}
		if template.Style() == sqltext.Named {
			if lookup, ok := fieldsOf(t.args[0]); ok {
				return template.BindFunc(lookup)
			}
		}
	}
	named, err := namedArgs(t.args)
	switch {
	case err != nil:
		return "", nil, err
	case named != nil:
		return template.BindNamed(named)
	}
	return template.Bind(t.args)
}

// namedArgs returns the arguments by name; nil if they have no names.
func namedArgs(args []any) (named map[string]any, err error) {
	for i, a := range args {
		arg, has := a.(sql.NamedArg)
		switch {
		case has != (named != nil) && i > 0:
			return nil, fmt.Errorf("argument %d: some arguments have a name and others have none", i+1)
		case !has:
			continue
		case named == nil:
			named = make(map[string]any, len(args))
		}
		if _, twice := named[arg.Name]; twice {
			return nil, fmt.Errorf("argument %s is given twice", arg.Name)
		}
		named[arg.Name] = arg.Value
	}
	return named, nil
}
