package sqltext

import "strings"

// mode is what a backslash is inside quotes.
type mode uint8

const (
	verbatim mode = iota // a character like any other
	escapes              // it escapes the next one
	either               // one or the other, by the server's mode
	unknown              // of an unknown dialect
)

// mode returns what a backslash is in a plain string.
func (l *Lexer) mode() mode {
	switch l.dialect {
	case PostgreSQL:
		if l.common {
			return verbatim
		}
		return either
	case MySQL:
		if l.common {
			return escapes
		}
		return either
	case SQLite:
		return verbatim
	default:
		return unknown
	}
}

// quoted takes a string in single quotes. PostgreSQL continues it with the next
// one if there is a new line between them.
func (l *Lexer) quoted(m mode) Kind {
	for {
		if l.quotedBy('\'', m) == Undecided {
			return Undecided
		}
		next := l.pos
		if l.dialect == PostgreSQL {
			next = l.continued()
		}
		if next == l.pos {
			return String
		}
		l.pos = next
	}
}

// continued returns the offset of the quote that continues a string, or the
// position if there is none.
func (l *Lexer) continued() int {
	newline := false
	for i := l.pos; i < len(l.text); {
		switch c := l.text[i]; {
		case c == '\n' || c == '\r':
			newline = true
			i++
		case c == ' ' || c == '\t' || c == '\f' || c == '\v':
			i++
		case c == '-' && i+1 < len(l.text) && l.text[i+1] == '-':
			i = l.skip(i, func(c byte) bool { return c != '\n' && c != '\r' })
		case c == '\'' && newline:
			return i
		default:
			return l.pos
		}
	}
	return l.pos
}

// quotedBy takes what is in quotes.
func (l *Lexer) quotedBy(quote byte, m mode) Kind {
	first := l.pos + 1
	if m == unknown && strings.HasPrefix(l.text[first:], string([]byte{quote, quote})) {
		return l.rest() // BigQuery's three quotes
	}
	end := l.closing(first, quote, m == escapes)
	if end < 0 {
		return l.rest()
	}
	if slash := strings.IndexByte(l.text[first:end], '\\'); slash >= 0 && m != verbatim {
		if m == unknown || m == either && l.closing(first+slash, quote, true) != end || l.wide(first+slash, end) {
			return l.rest()
		}
	}
	l.pos = end
	return String
}

// wide reports whether a backslash between two offsets may be the second byte
// of a character: of a connection in GBK, Big5 or Shift-JIS.
func (l *Lexer) wide(start, end int) bool {
	if l.common {
		return false
	}
	for i := start; i < end; i++ {
		if l.text[i] == '\\' && l.text[i-1] >= 0x80 {
			return true
		}
	}
	return false
}

// closing returns the offset behind the closing quote, or -1 if there is none.
func (l *Lexer) closing(i int, quote byte, escaped bool) int {
	for ; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '\\' && escaped:
			i++
		case c != quote:
		case i+1 < len(l.text) && l.text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return -1
}

// doubleQuoted takes a text in double quotes: for MySQL a string, or a name by
// the server's mode, a name for PostgreSQL, either for SQLite.
func (l *Lexer) doubleQuoted() Kind {
	m := l.mode()
	if l.dialect == PostgreSQL {
		m = verbatim
	}
	switch kind := l.quotedBy('"', m); {
	case kind == Undecided:
		return Undecided
	case l.dialect == PostgreSQL:
		return Name
	}
	return Quoted
}

// name takes a name up to its closing quote.
func (l *Lexer) name(closing byte) Kind {
	if l.dialect == Generic && !l.plain(closing) {
		return l.rest() // quotes here, operators there
	}
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
