package sqltext

import "strings"

// comment takes a comment, if c begins one.
func (l *Lexer) comment(c byte) (Kind, bool) {
	next := l.at(1)
	switch {
	case c == '-' && next == '-':
		return l.dashes()
	case c == '#' && l.dialect == MySQL:
		return l.line(), true
	case c == '#' && l.dialect == SQLite:
		return l.variable(), true
	case c == '#' && l.dialect == Generic:
		return l.rest(), true // a comment here, an operator there
	case c == '/' && next == '*':
		return l.block(), true
	case c == '*' && next == '/' && l.ends == l.pos+2:
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
		return l.line(), true
	case l.dialect == Generic, behind >= 0x7f: // a space in some character sets
		return l.rest(), true
	}
	return Punct, false
}

// line takes a comment up to the end of the line, which for PostgreSQL is a
// carriage return as well.
func (l *Lexer) line() Kind {
	for i := l.pos; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == 0, c == '\r' && l.dialect == Generic && i+1 < len(l.text) && l.text[i+1] != '\n':
			return l.rest()
		case c == '\n', c == '\r' && l.dialect == PostgreSQL:
			l.pos = i + 1
			return Comment
		}
	}
	l.pos = len(l.text)
	return Comment
}

// block takes a comment in /* */, or the opening of an executable one, whose
// inside is SQL for some versions of the server.
func (l *Lexer) block() Kind {
	if l.ends > 0 {
		return l.rest() // nested in an executable one
	}
	if l.dialect == MySQL || l.dialect == Generic {
		open := l.pos + 2
		if open < len(l.text) && l.text[open] == 'M' {
			open++
		}
		if open < len(l.text) && l.text[open] == '!' {
			return l.executable(open + 1)
		}
		if open < len(l.text) && l.text[open] == '+' && l.hint(open) {
			return l.rest()
		}
	}
	depth := 1
	for i := l.pos + 2; i < len(l.text); i++ {
		two := l.text[i:min(i+2, len(l.text))]
		switch {
		case two[0] == 0:
			return l.rest()
		case two == "*/":
			i++
			if depth--; depth == 0 {
				l.pos = i + 1
				return Comment
			}
		case two == "/*" && l.dialect == PostgreSQL:
			i++
			depth++
		case two == "/*" && l.dialect == Generic:
			return l.rest() // nested here, not there
		}
	}
	return l.rest()
}

// executable takes the opening of an executable comment.
func (l *Lexer) executable(inside int) Kind {
	end := strings.Index(l.text[inside:], "*/")
	if end < 0 || l.dialect == Generic || strings.Contains(l.text[inside:inside+end], "/*") {
		return l.rest() // MariaDB ends the comment that is in it first, if it skips both
	}
	l.pos = l.skip(inside, isDigit)
	l.ends = inside + end + 2
	return Comment
}

// hint reports whether a hint of the optimizer has quotes, in which */ is no
// end.
func (l *Lexer) hint(open int) bool {
	end := strings.Index(l.text[open:], "*/")
	return end < 0 || strings.ContainsAny(l.text[open:open+end], "'\"`")
}
