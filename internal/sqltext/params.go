package sqltext

import (
	"errors"
	"fmt"
	"slices"
)

// ErrEmptyList says that a list of no elements was given for a parameter of
// IN (…). SQL has no empty list, and each form that could stand for one has a
// case in which it does harm: NULL makes NOT IN hold for no row, leaving the
// condition out makes IN hold for all of them. So the caller decides.
var ErrEmptyList = errors.New("the list is empty, and IN needs at least one element")

// Style is how the parameters of a text are written. A text has one style.
type Style uint8

const (
	// NoParameters is the style of a text without parameters.
	NoParameters Style = iota
	// Positional is ?, whose arguments come in the order of the text.
	Positional
	// Numbered is $1 or ?1, which names the place of its argument and may
	// stand more than once.
	Numbered
	// Named is :name, and what SQLite writes @name and $name.
	Named
)

// Template is a statement whose parameters were found. It is made once per
// text, by [Compile], and bound to arguments as often as the statement runs. A
// Template never changes, so it is safe for concurrent use.
type Template struct {
	dialect Dialect
	style   Style
	source  string
	text    string // the source with one placeholder for each parameter
	sites   []site
	names   []string // of style Named: the arguments, by first appearance
	count   int      // how many arguments are wanted
	lists   bool     // a parameter stands where a list may
	inOrder bool     // the placeholders take the arguments as they come
}

// site is a place in the source that is written anew.
type site struct {
	start, end int
	arg        int // of the argument, from 0; escape for a ??
	place      place
	joins      bool // a dollar sign would belong to what stands before
}

// escape is the argument of a site that stands for no parameter.
const escape = -1

// place says whether a list may stand at a site.
type place uint8

const (
	single place = iota
	item         // alone between the commas of IN (…)
	bare         // behind IN, without parentheses
)

// Dialect returns the dialect the template was made for.
func (t *Template) Dialect() Dialect { return t.dialect }

// Style returns how the parameters are written.
func (t *Template) Style() Style { return t.style }

// Count returns how many arguments the text takes. A name or number that
// stands several times is one of them.
func (t *Template) Count() int { return t.count }

// Names returns the names of a text whose style is [Named], without the sign
// before them, in order of first appearance, and nothing for other texts. The
// result belongs to the caller.
func (t *Template) Names() []string { return slices.Clone(t.names) }

// Source returns the text the template was made of.
func (t *Template) Source() string { return t.source }

// Bind returns the statement as the database takes it, and its arguments in
// the order of the placeholders. A text whose placeholders already are the
// dialect's own is returned as it is, with args itself, and nothing is
// allocated.
//
// A slice given for a parameter that stands for an element of IN (…), or
// behind IN without parentheses, becomes as many elements as it has;
// [ErrEmptyList] if it has none. Slices of bytes and driver.Valuers stay
// values, and so does a slice anywhere else, such as the array of PostgreSQL's
// = ANY ($1).
//
// An error names the parameter, never an argument.
func (t *Template) Bind(args []any) (text string, bound []any, err error) {
	if t.style == Named && len(args) > 0 {
		return "", nil, fmt.Errorf("parameter %s has a name, and the arguments have none", t.name(0))
	}
	switch {
	case len(args) < t.count:
		return "", nil, fmt.Errorf("parameter %s has no argument: %s, %s%s",
			t.name(len(args)), plural(t.count, "parameter"), plural(len(args), "argument"), t.hint())
	case len(args) > t.count:
		return "", nil, fmt.Errorf("argument %d has no parameter: %s, %s",
			t.count+1, plural(t.count, "parameter"), plural(len(args), "argument"))
	}
	return t.bind(args)
}

// BindNamed is [Template.Bind] for arguments with names. Each of them must be
// used.
func (t *Template) BindNamed(named map[string]any) (text string, bound []any, err error) {
	text, bound, err = t.BindFunc(func(name string) (any, bool) {
		v, ok := named[name]
		return v, ok
	})
	if err != nil || len(named) == len(t.names) {
		return text, bound, err
	}
	var unused []string
	for name := range named {
		if !slices.Contains(t.names, name) {
			unused = append(unused, name)
		}
	}
	return "", nil, fmt.Errorf("argument %s has no parameter: there is no :%[1]s in the text", slices.Min(unused))
}

// BindFunc is [Template.Bind] for arguments that are looked up by name, such
// as the fields of a struct, of which not all need be used. lookup is called
// once for each name.
func (t *Template) BindFunc(lookup func(name string) (any, bool)) (text string, bound []any, err error) {
	if t.style != Named {
		if t.count > 0 {
			return "", nil, fmt.Errorf("parameter %s has no name, and the arguments have%s", t.name(0), t.hint())
		}
		return t.bind(nil)
	}
	args := make([]any, len(t.names))
	for i, name := range t.names {
		v, ok := lookup(name)
		if !ok {
			return "", nil, fmt.Errorf("parameter %s has no argument", t.name(i))
		}
		args[i] = v
	}
	return t.bind(args)
}

// bind puts arguments in their places; there are as many as are wanted.
func (t *Template) bind(args []any) (text string, bound []any, err error) {
	switch {
	case t.lists && t.hasList(args):
		return t.expand(args)
	case t.inOrder:
		return t.text, args, nil
	}
	bound = make([]any, 0, len(t.sites))
	for _, s := range t.sites {
		if s.arg != escape {
			bound = append(bound, args[s.arg])
		}
	}
	return t.text, bound, nil
}

// name returns how an error calls the parameter of an argument.
func (t *Template) name(arg int) string {
	switch t.style {
	case Named:
		return ":" + t.names[arg]
	case Numbered:
		return fmt.Sprintf("$%d", arg+1)
	default:
		return fmt.Sprint(arg + 1)
	}
}

// hint says what may be wrong where a ? may be meant for an operator.
func (t *Template) hint() string {
	if t.dialect == PostgreSQL && t.style == Positional {
		return "; the operator ? is written ??"
	}
	return ""
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
