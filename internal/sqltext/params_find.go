package sqltext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxNumber is the greatest n of $n: PostgreSQL and MySQL count parameters in
// 16 bits.
const maxNumber = 1<<16 - 1

// Compile finds the parameters of a text: ?, $1 or ?1, or :name. What looks
// like one inside a string, a name in quotes, a comment or a dollar quote is
// none.
//
// A colon begins a parameter if a name follows straight away and white space,
// an operator, a comma or an opening bracket stands before it. So the cast
// a::text, the assignment @x:=1, the slice a[1:n] and 'key':value are none.
// Within brackets a colon behind an operand is the slice's, whatever stands
// between: write a[:low : :high].
//
// ? is an operator of PostgreSQL as well. There,
//
//   - beside a $1 or :name in the same text, every ? is an operator;
//   - otherwise ?? stands for the operator ?, as JDBC has it, and so for the
//     beginning of ??| and any other; ?| and ?& behind a value are operators
//     themselves, unless they begin the concatenation ?|| or the overlap ?&&,
//     and so is @? alone; every other ? is a parameter.
//
// An error names the parameter: two styles in one text, a number out of range
// or left out. Everything else that is no SQL is the server's to refuse.
//
// [Generic] texts get ? as placeholder. What can't be told there, as in
// [Sanitize], holds no parameter.
func Compile(d Dialect, text string) (*Template, error) {
	f := finder{
		Template: Template{dialect: d, source: text},
		lexer:    NewCommonLexer(d, text), frames: make([]bracket, 1, 8), index: map[string]int{},
	}
	for {
		t, ok := f.lexer.Next()
		if !ok {
			break
		}
		if t.Kind != Space && t.Kind != Comment {
			f.take(t)
		}
	}
	f.decidePlace("")
	if err := f.resolve(); err != nil {
		return nil, err
	}
	f.render()
	t := f.Template
	return &t, nil
}

// finder walks through a statement and collects what may be a parameter.
type finder struct {
	Template

	lexer  Lexer
	found  []candidate
	frames []bracket // one per open bracket, the statement's first
	prev   Token     // the token before, without space and comments
	open   bool      // the token before is the parameter found last
	index  map[string]int
}

// candidate is a place that may be a parameter.
type candidate struct {
	site

	form form
	name string // what stands behind the sign
}

// form is how a candidate is written.
type form uint8

const (
	mark       form = iota // ?
	markNumber             // ?1
	markEscape             // ??
	dollarSign             // $1
	colonName              // :name
)

// style returns the style that a form belongs to.
func (f form) style() Style {
	switch f {
	case mark:
		return Positional
	case markNumber, dollarSign:
		return Numbered
	case colonName:
		return Named
	default:
		return NoParameters
	}
}

// bracket is the state inside one pair of brackets.
type bracket struct {
	list   bool // the elements of IN (…)
	begun  bool // something stood in it
	square bool
}

func (f *finder) top() *bracket { return &f.frames[len(f.frames)-1] }

func (f *finder) raw(t Token) string { return f.source[t.Start:t.End] }

// take takes the next token that says something.
func (f *finder) take(t Token) {
	raw := f.raw(t)
	f.decidePlace(raw)
	c, ok := f.candidate(&t)
	switch {
	case !ok:
		f.nest(t, raw)
	case c.form == markEscape:
		f.found = append(f.found, candidate{site: site{start: t.Start, end: t.End}, form: c.form})
		f.top().begun = true
	default:
		c.site = site{start: t.Start, end: t.End, place: f.place(), joins: f.joins(t.Start)}
		f.found = append(f.found, c)
		f.top().begun, f.open = true, true
		t.Kind = Param
	}
	f.prev = t
}

// nest follows brackets, and what IN holds.
func (f *finder) nest(t Token, raw string) {
	top := f.top()
	if t.Kind == Word && top.list && !top.begun && slices.Contains(queries, strings.ToLower(raw)) {
		top.list = false
	}
	top.begun = true
	switch {
	case t.Kind != Punct:
	case raw == "(":
		f.frames = append(f.frames, bracket{list: f.behindIn()})
	case raw == "[":
		f.frames = append(f.frames, bracket{square: true})
	case (raw == ")" || raw == "]") && len(f.frames) > 1:
		f.frames = f.frames[:len(f.frames)-1]
	}
}

// queries are the words with which a subquery begins.
var queries = []string{"select", "with", "values", "table"}

func (f *finder) behindIn() bool {
	return f.prev.Kind == Word && strings.EqualFold(f.raw(f.prev), "in")
}

// place says whether a list may stand where a parameter was found, as far as
// what stands before it tells.
func (f *finder) place() place {
	before := f.raw(f.prev)
	switch {
	case f.top().list && (!f.top().begun || before == ","):
		return item
	case f.behindIn():
		return bare
	}
	return single
}

// joins reports whether a dollar sign would belong to the token before.
func (f *finder) joins(start int) bool {
	return f.prev.End == start && (f.prev.Kind == Word || f.prev.Kind == Number || f.raw(f.prev) == "$")
}

// decidePlace tells from the token behind a parameter whether it is alone between
// two commas.
func (f *finder) decidePlace(next string) {
	if !f.open {
		return
	}
	f.open = false
	if last := &f.found[len(f.found)-1]; last.place == item && next != "," && next != ")" {
		last.place = single
	}
}

// candidate reports whether a token begins a parameter. If there is more of
// it, the token grows.
func (f *finder) candidate(t *Token) (c candidate, ok bool) {
	raw := f.raw(*t)
	switch {
	case t.Kind == Param && raw[0] == '$' && isDigit(raw[1]):
		return candidate{form: dollarSign, name: raw[1:]}, true
	case t.Kind == Param && raw == "?":
		return candidate{form: mark}, true
	case t.Kind == Param && raw[0] == '?':
		return candidate{form: markNumber, name: raw[1:]}, true
	case t.Kind == Param && raw[0] == ':':
		return candidate{form: colonName, name: raw[1:]}, f.opens(t.Start)
	case t.Kind == Param:
		return candidate{form: colonName, name: strings.TrimLeft(raw[1:], "@")}, true
	case t.Kind == Punct && raw == "?":
		return f.questionMark(t)
	case t.Kind == Punct && raw == ":" && f.opens(t.Start):
		return f.colon(t)
	}
	return candidate{}, false
}

// colon takes the name behind a colon that the lexer leaves alone.
func (f *finder) colon(t *Token) (c candidate, ok bool) {
	rest := f.lexer
	name, ok := rest.Next()
	if !ok || name.Kind != Word {
		return candidate{}, false
	}
	f.lexer, t.End = rest, name.End
	return candidate{form: colonName, name: f.raw(name)}, true
}

// opens reports whether a colon may begin a parameter by what stands before it.
func (f *finder) opens(start int) bool {
	if start == 0 {
		return true
	}
	switch c := f.source[start-1]; {
	case isWord(c), strings.IndexByte(":)]'\"`", c) >= 0, c == '?' && f.dialect != PostgreSQL:
		return false
	}
	return !f.top().square || !f.operand()
}

// operand reports whether the token before may be a value, or the end of one.
func (f *finder) operand() bool {
	if !f.top().begun {
		return false
	}
	raw := f.raw(f.prev)
	return f.prev.Kind != Punct || raw == ")" || raw == "]"
}

// questionMark tells the parameters of PostgreSQL's texts from the operators.
func (f *finder) questionMark(t *Token) (c candidate, ok bool) {
	next := f.at(t.End)
	switch {
	case next == '?':
		t.End++
		f.lexer.pos = t.End
		return candidate{form: markEscape}, true
	case isDigit(next) && f.lexer.number(t.End) == f.lexer.skip(t.End, isDigit):
		t.End = f.lexer.skip(t.End, isDigit)
		f.lexer.pos = t.End
		return candidate{form: markNumber, name: f.source[t.Start+1 : t.End]}, true
	case (next == '|' || next == '&') && f.at(t.End+1) != next && f.operand():
		return candidate{}, false
	case f.at(t.Start-1) == '@' && strings.IndexByte(operators, f.at(t.Start-2)) < 0:
		return candidate{}, false
	}
	return candidate{form: mark}, true
}

// operators are the characters of PostgreSQL's operators.
const operators = "+-*/<>=~!@#%^&|`?"

// at returns a byte of the source, or 0 outside it.
func (f *finder) at(i int) byte {
	if i < 0 || i >= len(f.source) {
		return 0
	}
	return f.source[i]
}

// resolve makes sites of the candidates that are parameters.
func (f *finder) resolve() error {
	if f.dialect == PostgreSQL && slices.ContainsFunc(f.found, func(c candidate) bool { return c.form >= dollarSign }) {
		f.found = slices.DeleteFunc(f.found, func(c candidate) bool { return c.form < dollarSign })
	}
	first := candidate{}
	for _, c := range f.found {
		switch style := c.form.style(); {
		case style == NoParameters:
			c.arg = escape
		case f.style == NoParameters:
			f.style, first = style, c
		case f.style != style:
			return fmt.Errorf("parameters %s and %s: a text has one style, ?, $1 or :name",
				f.source[first.start:first.end], f.source[c.start:c.end])
		}
		if err := f.number(&c); err != nil {
			return err
		}
		f.lists = f.lists || c.place != single
		f.sites = append(f.sites, c.site)
	}
	return f.complete()
}

// number says which argument a candidate stands for.
func (f *finder) number(c *candidate) error {
	switch c.form.style() {
	case Positional:
		c.arg = f.count
		f.count++
	case Named:
		arg, known := f.index[c.name]
		if !known {
			arg = f.count
			f.index[c.name] = arg
			f.names = append(f.names, c.name)
			f.count++
		}
		c.arg = arg
	case Numbered:
		n, err := strconv.Atoi(c.name)
		if err != nil || n < 1 || n > maxNumber {
			return fmt.Errorf("parameter %s: numbers go from 1 to %d", f.source[c.start:c.end], maxNumber)
		}
		c.arg = n - 1
		f.count = max(f.count, n)
	default:
	}
	return nil
}

// complete looks for numbers left out, and says how the arguments are passed.
func (f *finder) complete() error {
	used := make([]bool, f.count)
	wanted := 0
	f.inOrder = true
	for _, s := range f.sites {
		if s.arg == escape {
			continue
		}
		used[s.arg] = true
		f.inOrder = f.inOrder && (f.dialect == PostgreSQL || s.arg == wanted)
		wanted++
	}
	if i := slices.Index(used, false); i >= 0 {
		return fmt.Errorf("parameter $%d is not in the text, though $%d is", i+1, f.count)
	}
	return nil
}
