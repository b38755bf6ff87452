package sqltext

import "strings"

// Kind is the kind of a token.
type Kind uint8

const (
	// Space is white space.
	Space Kind = iota
	// Comment is a comment, or the frame of an executable one.
	Comment
	// Word is a keyword or a name without quotes.
	Word
	// Name is a name in quotes that can be nothing but a name.
	Name
	// Quoted is a text in quotes that is a name or a string, by its place.
	Quoted
	// String is a string literal in plain single quotes.
	String
	// Number is a number.
	Number
	// Opaque is any other literal.
	Opaque
	// Param is a parameter.
	Param
	// Variable is a variable of the session, such as @x.
	Variable
	// Punct is a single character of an operator or of punctuation.
	Punct
	// Undecided is the rest of a text of which it can't be told what is a
	// literal: dialects, versions or modes of the server disagree from here on,
	// or something is not ended.
	Undecided
)

// Token is a piece of a statement: text[Start:End].
type Token struct {
	// Kind says what it is.
	Kind Kind
	// Start is the offset of its first byte.
	Start int
	// End is the offset behind its last byte.
	End int
}

// Lexer takes a statement apart. Its tokens follow each other without a gap
// up to the end of the text. It allocates nothing and takes time in proportion
// to the text. A Lexer is not safe for concurrent use.
//
// A server's mode is not known here: whether a backslash escapes
// (NO_BACKSLASH_ESCAPES, standard_conforming_strings) and whether "" quotes a
// name (ANSI_QUOTES) can change with every statement. Where the readings end a
// literal at different places, the rest is [Undecided].
type Lexer struct {
	dialect Dialect
	common  bool // a backslash is what it is by default
	text    string
	pos     int
	ends    int // of an executable comment: where it ends; 0 outside of one
}

// NewLexer returns a lexer of text.
func NewLexer(d Dialect, text string) Lexer { return Lexer{dialect: d, text: text} }

// NewCommonLexer returns a lexer of text that reads as a server in its default
// mode does. It is for what the caller wrote, such as parameters; what is to be
// hidden is found by [NewLexer].
func NewCommonLexer(d Dialect, text string) Lexer {
	return Lexer{dialect: d, text: text, common: true}
}

// Next returns the next token, or false at the end.
func (l *Lexer) Next() (Token, bool) {
	if l.pos >= len(l.text) {
		return Token{}, false
	}
	start := l.pos
	kind := l.scan(l.text[start])
	if l.ends > 0 && l.pos > l.ends {
		// A server of another version skips the comment, up to the first */.
		if start < l.ends {
			kind = l.rest()
		} else {
			l.ends = 0
		}
	}
	return Token{kind, start, l.pos}, true
}

// scan moves behind the token that begins with c.
func (l *Lexer) scan(c byte) Kind {
	switch {
	case isSpace(c):
		l.pos = l.skip(l.pos, isSpace)
		return Space
	case c == bom[0] && (l.dialect == SQLite || l.dialect == Generic) && strings.HasPrefix(l.text[l.pos:], bom):
		l.pos += len(bom) // white space to SQLite where no name goes on
		return Space
	case isLetter(c):
		return l.word()
	case isDigit(c), c == '.' && isDigit(l.at(1)):
		l.pos = l.number(l.pos)
		return Number
	}
	switch c {
	case 0:
		return l.rest() // what ends the text for some
	case '\'':
		return l.quoted(l.mode())
	case '"':
		return l.doubleQuoted()
	case '`':
		if l.dialect != PostgreSQL {
			return l.name('`')
		}
	case '[':
		if l.dialect == SQLite || l.dialect == Generic && !l.plain(']') {
			return l.name(']')
		}
		if l.dialect == MySQL && !l.common {
			return l.rest() // begins a name under MariaDB's sql_mode MSSQL, nothing under any other
		}
	case '$':
		return l.dollar()
	case '?', ':', '@':
		return l.parameter(c)
	case '-', '#', '/', '*':
		if kind, ok := l.comment(c); ok {
			return kind
		}
	}
	l.pos++
	return Punct
}

// bom is the byte order mark.
const bom = "\ufeff"

// at returns the byte n behind the position, or 0.
func (l *Lexer) at(n int) byte {
	if l.pos+n < len(l.text) {
		return l.text[l.pos+n]
	}
	return 0
}

// qualifies reports whether a point follows, which makes a schema or a table of
// the name before it.
func (l *Lexer) qualifies() bool { return l.at(0) == '.' && !isDigit(l.at(1)) }

// skip returns the first offset from i on whose byte is not of the kind.
func (l *Lexer) skip(i int, of func(byte) bool) int {
	for i < len(l.text) && of(l.text[i]) {
		i++
	}
	return i
}

// rest takes everything up to the end.
func (l *Lexer) rest() Kind {
	l.pos = len(l.text)
	return Undecided
}

// plain reports whether what stands between the position and a closing quote is
// read alike with and without the quotes.
func (l *Lexer) plain(closing byte) bool {
	end := l.skip(l.pos+1, func(c byte) bool { return isTag(c) || c == ' ' || c == ',' || c == '.' })
	return end < len(l.text) && (l.text[end] == closing || l.text[end] == ':' || l.text[end] == '$' || l.text[end] == '?')
}

// word takes a word, or the literal that it is the prefix of.
func (l *Lexer) word() Kind {
	end := l.skip(l.pos, isWord)
	word := l.text[l.pos:end]
	next := byte(0)
	if end < len(l.text) {
		next = l.text[end]
	}
	switch {
	case next == '\'' && l.dialect == Generic && (strings.EqualFold(word, "q") || strings.EqualFold(word, "nq")):
		return l.rest() // Oracle's q'[…]'
	case next == '\'' && isPrefix(word):
		mode := l.mode()
		if l.dialect == PostgreSQL && strings.EqualFold(word, "e") {
			mode = escapes
		}
		l.pos = end
		if l.quoted(mode) == Undecided {
			return Undecided
		}
		return Opaque
	case next == '&' && l.dialect == PostgreSQL && len(word) == 1 && word[0]|0x20 == 'u' && end+1 < len(l.text):
		// U&'…' and U&"…"
		if quote := l.text[end+1]; quote == '\'' || quote == '"' {
			l.pos = end + 1
			if l.quotedBy(quote, verbatim) == Undecided {
				return Undecided
			}
			return Opaque
		}
	}
	l.pos = end
	return Word
}

// isPrefix reports whether a word before a quote belongs to the literal: E, N,
// B, X, and MySQL's character sets.
func isPrefix(word string) bool {
	if len(word) == 1 {
		switch word[0] | 0x20 {
		case 'e', 'n', 'b', 'x':
			return true
		}
	}
	return word[0] == '_'
}

// number returns the end of a number. What hangs on to it belongs to it: no
// dialect reads a name there that would be worth keeping. A dollar sign begins
// a quote in PostgreSQL.
func (l *Lexer) number(i int) int {
	for i < len(l.text) {
		switch c := l.text[i]; {
		case c == '$' && (l.dialect == PostgreSQL || l.dialect == Generic):
			return i
		case isWord(c), c == '.':
			i++
		case (c == '+' || c == '-') && l.text[i-1]|0x20 == 'e' && !l.hex(i) && i+1 < len(l.text) && isDigit(l.text[i+1]):
			i++
		default:
			return i
		}
	}
	return i
}

// hex reports whether the number up to i is a hexadecimal one, whose e is no
// exponent.
func (l *Lexer) hex(i int) bool {
	return i-l.pos > 1 && l.text[l.pos] == '0' && l.text[l.pos+1]|0x20 == 'x'
}

// dollar takes $1, $name or a dollar quote.
func (l *Lexer) dollar() Kind {
	switch {
	case l.dialect == SQLite && (!l.common || !isDigit(l.at(1))):
		return l.variable()
	case isDigit(l.at(1)):
		l.pos = l.skip(l.pos+1, isDigit)
		return Param
	}
	end := l.skip(l.pos+1, isTag)
	if end < len(l.text) && l.text[end] == '$' {
		if l.dialect != PostgreSQL {
			return l.rest() // a quote for some, names for others
		}
		tag := l.text[l.pos : end+1]
		if n := strings.Index(l.text[end+1:], tag); n >= 0 {
			l.pos = end + 1 + n + len(tag)
			return Opaque
		}
		return l.rest()
	}
	if end > l.pos+1 && l.dialect == MySQL { // a name may begin with $
		l.pos = l.skip(l.pos, isWord)
		return Word
	}
	if l.dialect == Generic && l.suffixed(end) {
		return l.rest()
	}
	l.pos++
	return Punct
}

// suffixed reports whether a variable that ends at i goes on for SQLite.
func (l *Lexer) suffixed(i int) bool {
	return i < len(l.text) && (l.text[i] == '(' || strings.HasPrefix(l.text[i:], "::"))
}

// variable takes SQLite's $name, :name, @name and #name, with the suffixes of
// its tokenizer: $name::name(anything but space).
func (l *Lexer) variable() Kind {
	i, letters, kind := l.pos+1, 0, Param
	for i < len(l.text) {
		switch c := l.text[i]; {
		case isWord(c):
			letters++
			i++
			continue
		case l.common: // a suffix is not what anybody means
		case c == ':' && i+1 < len(l.text) && l.text[i+1] == ':':
			i += 2
			continue
		case c == '(' && letters > 0:
			i = l.skip(i, func(c byte) bool { return c != ')' && c > ' ' })
			if i == len(l.text) || l.text[i] != ')' {
				return l.rest()
			}
			i++
			kind = Opaque
		}
		break
	}
	if letters == 0 {
		l.pos++
		return Punct
	}
	l.pos = i
	return kind
}

// parameter takes ?, ?1, :name, @name, @@name, or the operator that c begins.
func (l *Lexer) parameter(c byte) Kind {
	switch {
	case c == '?':
		if l.dialect == PostgreSQL { // an operator of jsonb
			l.pos++
			return Punct
		}
		l.pos++
		if l.dialect != Generic || l.common { // else it may be an operator before a number
			l.pos = l.skip(l.pos, isDigit)
		}
		return Param
	case c == ':' && l.at(1) == ':':
		l.pos += 2
		return Punct
	case l.dialect == SQLite:
		return l.variable()
	case c == ':' && isLetter(l.at(1)) && l.dialect != PostgreSQL:
		end := l.skip(l.pos+1, isWord)
		if l.dialect == Generic && l.suffixed(end) {
			return l.rest()
		}
		l.pos = end
		return Param
	case c == '@' && l.dialect != PostgreSQL:
		return l.atSign()
	}
	l.pos++
	return Punct
}

func (l *Lexer) atSign() Kind {
	i := l.pos + 1
	if l.at(1) == '@' {
		i++
	}
	end := l.skip(i, isWord)
	switch {
	case end == i, l.dialect == Generic && isDigit(l.text[i]): // an operator, maybe before a number
		l.pos++
		return Punct
	case l.dialect == Generic && l.suffixed(end):
		return l.rest()
	}
	l.pos = end
	return Variable
}

func isSpace(c byte) bool  { return c <= ' ' || c == 0x7f }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }
func isTag(c byte) bool    { return isLetter(c) || isDigit(c) }
func isWord(c byte) bool   { return isTag(c) || c == '$' }
