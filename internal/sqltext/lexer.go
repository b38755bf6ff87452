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
	// Opaque is any other literal, or a rest that can't be told.
	Opaque
	// Param is a parameter.
	Param
	// Variable is a variable of the session, such as @x.
	Variable
	// Punct is a single character of an operator or of punctuation.
	Punct
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
// up to the end of the text. It allocates nothing. A Lexer is not safe for
// concurrent use.
type Lexer struct {
	dialect Dialect
	text    string
	pos     int
}

// NewLexer returns a lexer of text.
func NewLexer(d Dialect, text string) Lexer { return Lexer{dialect: d, text: text} }

// Next returns the next token, or false at the end.
func (l *Lexer) Next() (Token, bool) {
	if l.pos >= len(l.text) {
		return Token{}, false
	}
	start := l.pos
	kind := l.scan(l.text[start])
	return Token{kind, start, l.pos}, true
}

// scan moves behind the token that begins with c.
func (l *Lexer) scan(c byte) Kind {
	switch {
	case isSpace(c):
		l.pos = l.skip(l.pos, isSpace)
		return Space
	case isLetter(c):
		return l.word()
	case isDigit(c), c == '.' && isDigit(l.at(1)):
		l.pos = l.number(l.pos)
		return Number
	}
	switch c {
	case '\'':
		return l.quoted(l.dialect == MySQL)
	case '"':
		return l.doubleQuoted()
	case '`':
		if l.dialect != PostgreSQL {
			return l.name('`')
		}
	case '[':
		if l.dialect == SQLite {
			return l.name(']')
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

// rest takes everything up to the end as a literal.
func (l *Lexer) rest() Kind {
	l.pos = len(l.text)
	return Opaque
}

// word takes a word, or the literal that it is the prefix of.
func (l *Lexer) word() Kind {
	end := l.skip(l.pos, isWord)
	word := l.text[l.pos:end]
	if end < len(l.text) && l.text[end] == '\'' && isPrefix(word) {
		escapes := l.dialect == MySQL || strings.EqualFold(word, "e")
		l.pos = end
		l.quoted(escapes)
		return Opaque
	}
	// U&'…' and U&"…"
	if len(word) == 1 && word[0]|0x20 == 'u' && end+1 < len(l.text) && l.text[end] == '&' {
		if quote := l.text[end+1]; quote == '\'' || quote == '"' {
			l.pos = end + 1
			l.quotedBy(quote, false)
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
// dialect reads a name there that would be worth keeping.
func (l *Lexer) number(i int) int {
	for i < len(l.text) {
		switch c := l.text[i]; {
		case isWord(c), c == '.':
			i++
		case (c == '+' || c == '-') && l.text[i-1]|0x20 == 'e' && !l.hex(i):
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

// quoted takes a string in single quotes.
func (l *Lexer) quoted(escapes bool) Kind { return l.quotedBy('\'', escapes) }

func (l *Lexer) quotedBy(quote byte, escapes bool) Kind {
	i := l.pos + 1
	for i < len(l.text) {
		switch c := l.text[i]; {
		case c == '\\' && escapes:
			i++
		case c == '\\' && l.dialect == Generic:
			return l.rest() // an escape here, a plain character there
		case c == quote && i+1 < len(l.text) && l.text[i+1] == quote:
			i++
		case c == quote:
			l.pos = i + 1
			return String
		}
		i++
	}
	return l.rest()
}

// doubleQuoted takes a text in double quotes: a string for MySQL, a name for
// PostgreSQL, either for SQLite.
func (l *Lexer) doubleQuoted() Kind {
	kind := l.quotedBy('"', l.dialect == MySQL)
	switch {
	case kind == Opaque:
		return Opaque
	case l.dialect == PostgreSQL:
		return Name
	}
	return Quoted
}

// name takes a name up to its closing quote.
func (l *Lexer) name(closing byte) Kind {
	for i := l.pos + 1; i < len(l.text); i++ {
		if l.text[i] != closing {
			continue
		}
		if closing != ']' && i+1 < len(l.text) && l.text[i+1] == closing {
			i++
			continue
		}
		l.pos = i + 1
		return Name
	}
	return l.rest()
}

// dollar takes $1, $name or a dollar quote.
func (l *Lexer) dollar() Kind {
	if isDigit(l.at(1)) {
		l.pos = l.skip(l.pos+1, isDigit)
		return Param
	}
	end := l.skip(l.pos+1, isTag)
	if end < len(l.text) && l.text[end] == '$' && (l.dialect == PostgreSQL || l.dialect == Generic) {
		tag := l.text[l.pos : end+1]
		if n := strings.Index(l.text[end+1:], tag); n >= 0 {
			l.pos = end + 1 + n + len(tag)
			return Opaque
		}
		return l.rest()
	}
	if l.dialect == SQLite && end > l.pos+1 {
		l.pos = end
		return Param
	}
	if end > l.pos+1 && l.dialect == MySQL { // a name may begin with $
		l.pos = l.skip(l.pos, isWord)
		return Word
	}
	l.pos++
	return Punct
}

// parameter takes ?, ?1, :name, @name, @@name, or the operator that c begins.
func (l *Lexer) parameter(c byte) Kind {
	switch {
	case c == '?':
		if l.dialect == PostgreSQL { // an operator of jsonb
			l.pos++
			return Punct
		}
		l.pos = l.skip(l.pos+1, isDigit)
		return Param
	case c == ':' && l.at(1) == ':':
		l.pos += 2
		return Punct
	case c == ':' && isLetter(l.at(1)) && l.dialect != PostgreSQL:
		l.pos = l.skip(l.pos+1, isWord)
		return Param
	case c == '@' && l.dialect != PostgreSQL:
		return l.atSign()
	}
	l.pos++
	return Punct
}

func (l *Lexer) atSign() Kind {
	i := l.pos + 1
	for i < len(l.text) && l.text[i] == '@' {
		i++
	}
	end := l.skip(i, isWord)
	if end == i {
		l.pos++
		return Punct
	}
	l.pos = end
	if l.dialect == SQLite {
		return Param
	}
	return Variable
}

// comment takes a comment, if c begins one.
func (l *Lexer) comment(c byte) (Kind, bool) {
	next := l.at(1)
	switch {
	case c == '-' && next == '-':
		return l.dashes()
	case c == '#' && l.dialect == MySQL:
		l.line()
		return Comment, true
	case c == '#' && l.dialect == Generic:
		return l.rest(), true // a comment here, an operator there
	case c == '/' && next == '*':
		return l.block(), true
	case c == '*' && next == '/' && (l.dialect == MySQL || l.dialect == Generic):
		l.pos += 2 // the end of an executable comment
		return Comment, true
	}
	return Punct, false
}

// dashes takes a comment of two dashes, which MySQL wants a space behind.
func (l *Lexer) dashes() (Kind, bool) {
	behind := l.at(2)
	spaced := l.pos+2 >= len(l.text) || behind <= ' '
	switch {
	case spaced, l.dialect == PostgreSQL, l.dialect == SQLite:
		l.line()
		return Comment, true
	case l.dialect == Generic:
		return l.rest(), true
	}
	return Punct, false
}

// line moves behind the end of the line.
func (l *Lexer) line() {
	n := strings.IndexByte(l.text[l.pos:], '\n')
	if n < 0 {
		l.pos = len(l.text)
		return
	}
	l.pos += n + 1
}

// block takes a comment in /* */, or the opening of an executable one, whose
// inside is SQL.
func (l *Lexer) block() Kind {
	if l.dialect == MySQL || l.dialect == Generic {
		open := l.pos + 2
		if open < len(l.text) && l.text[open] == 'M' {
			open++
		}
		if open < len(l.text) && l.text[open] == '!' {
			l.pos = l.skip(open+1, isDigit)
			return Comment
		}
	}
	depth := 1
	for i := l.pos + 2; i+1 < len(l.text); i++ {
		switch {
		case l.text[i] == '*' && l.text[i+1] == '/':
			i++
			if depth--; depth == 0 {
				l.pos = i + 1
				return Comment
			}
		case l.text[i] == '/' && l.text[i+1] == '*' && l.dialect == PostgreSQL:
			i++
			depth++
		case l.text[i] == '/' && l.text[i+1] == '*' && l.dialect == Generic:
			return l.rest() // nested here, not there
		}
	}
	return l.rest()
}

func isSpace(c byte) bool  { return c <= ' ' || c == 0x7f }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }
func isTag(c byte) bool    { return isLetter(c) || isDigit(c) }
func isWord(c byte) bool   { return isTag(c) || c == '$' }
