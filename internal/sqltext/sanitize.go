package sqltext

import (
	"strings"
	"unicode/utf8"
)

// Sanitize returns text with every literal replaced by ?, comments left out
// and white space folded. A list of literals and parameters after IN becomes
// (?). Parameters stay as they are, but for $1 of a dialect that is not known,
// which is money to SQL Server. The result is valid UTF-8, U+FFFD standing
// for what is not, and can be sanitised again without a change. If there is nothing to change, text itself is returned and nothing
// is allocated.
func Sanitize(d Dialect, text string) string {
	s := sanitizer{text: text, money: d == Generic, words: d == Generic || d == SQLite, places: places{names: d == SQLite}}
	lexer := NewLexer(d, text)
	for {
		t, ok := lexer.Next()
		if !ok {
			break
		}
		s.take(t, lexer)
		if s.jump > 0 {
			lexer.pos, s.jump = s.jump, 0
		}
	}
	return s.result()
}

// sanitizer writes a statement anew, from the first difference on.
type sanitizer struct {
	text  string
	out   strings.Builder
	wrote bool // out is in use: it differs from the text
	same  int  // up to here the result is the text itself
	blank bool // white space or a comment since the last token
	in    bool // the last word was IN
	minus bool // the last token was -
	named bool // the next name stands where a table or a column is named
	jump  int  // where to go on, if not behind the token
	money bool // $1 may be a literal
	words bool // and a word behind DEFAULT, as in SQLite

	standard bool // the last word was DEFAULT
	places
}

func (s *sanitizer) take(t Token, rest Lexer) {
	raw := s.text[t.Start:t.End]
	if t.Kind == Space || t.Kind == Comment {
		s.blank = true
		return
	}
	defer func() { s.minus = raw == "-" }()
	if s.literal(t.Kind, raw) {
		s.write(t, "?")
		s.in, s.named = false, false
		return
	}
	switch t.Kind {
	case Quoted:
		if s.named || rest.qualifies() || s.alias {
			s.write(t, raw)
			s.behindName()
		} else {
			s.write(t, "?")
		}
		s.in, s.named = false, false
		return
	case Punct:
		if raw == "-" && s.minus && !s.blank { // two of them could become a comment
			s.differ(s.same)
			s.blank = true
		}
		if raw == "(" && s.in {
			if end, ok := listEnd(rest); ok {
				s.write(t, "(?)")
				s.jump = end
				s.in = false
				return
			}
		}
		s.named = s.punct(raw) || raw == "."
	case Word:
		isTarget := s.named && !inFold(noNames, raw)
		if s.named = s.word(raw) || namesFollow(raw); isTarget && !s.named {
			s.behindName()
		}
	case Name:
		s.named = false
		s.behindName()
	default:
		s.named = false
	}
	s.in = t.Kind == Word && strings.EqualFold(raw, "in")
	s.write(t, raw)
}

// namesFollow reports whether nothing but a table is named behind a keyword.
// FROM is not one: EXTRACT and IS DISTINCT FROM have a value there.
func namesFollow(word string) bool {
	switch len(word) {
	case 4:
		return strings.EqualFold(word, "join") || strings.EqualFold(word, "into")
	case 5:
		return strings.EqualFold(word, "table")
	case 6:
		return strings.EqualFold(word, "update") || strings.EqualFold(word, "exists")
	}
	return false
}

// noNames are words that are no name where one may stand: what begins a query,
// as in CREATE VIEW v AS SELECT, and the operators behind a column that is named
// like a keyword, as in WHERE view LIKE "x".
var noNames = []string{
	"select", "values", "with", "and", "or", "not", "is", "isnull", "notnull", "in", "like", "glob", "regexp", "match", "between", "collate",
	"escape", "case", "when", "then", "else", "end", "on", "as", "over", "filter", "asc", "desc", "nulls",
	"where", "group", "having", "order", "limit", "offset", "window", "returning", "union", "except", "intersect", "using", "do",
}

// literal reports whether a token is one for certain, other than a text in double
// quotes.
func (s *sanitizer) literal(k Kind, raw string) bool {
	byDefault := s.standard
	s.standard = byDefault && raw == "[" || k == Word && s.words && strings.EqualFold(raw, "default")
	switch k {
	case String, Number, Opaque, Undecided:
		return true
	case Param:
		return s.money && raw[0] == '$'
	case Name:
		return byDefault
	case Word:
		return byDefault && !inFold(noDefaults, raw)
	default:
		return false
	}
}

// noDefaults are the words behind DEFAULT that SQLite does not take for a string.
var noDefaults = []string{"null", "true", "false", "current_time", "current_date", "current_timestamp", "values"}

// listEnd returns the end of a list of two or more literals and parameters
// whose opening parenthesis was taken, or false if it is anything else.
func listEnd(l Lexer) (end int, ok bool) {
	items, wanted := 0, true
	for {
		t, more := l.Next()
		if !more {
			return 0, false
		}
		raw := l.text[t.Start:t.End]
		switch {
		case t.Kind == Space || t.Kind == Comment:
		case wanted && (raw == "-" || raw == "+"):
		case wanted && (t.Kind == String || t.Kind == Number || t.Kind == Opaque || t.Kind == Quoted || t.Kind == Param || raw == "?"):
			items++
			wanted = false
		case !wanted && raw == ",":
			wanted = true
		case !wanted && raw == ")":
			return t.End, items > 1
		default:
			return 0, false
		}
	}
}

// write appends a token's text, with a space before it where there was one or
// something was left out.
func (s *sanitizer) write(t Token, text string) {
	if !s.wrote {
		if s.follows(t) && text == s.text[t.Start:t.End] {
			s.same, s.blank = t.End, false
			return
		}
		s.differ(s.same)
	}
	if s.blank && s.out.Len() > 0 {
		s.out.WriteByte(' ')
	}
	s.out.WriteString(text)
	s.blank = false
}

// follows reports whether the text up to a token is already as it should be:
// nothing or one space since the last.
func (s *sanitizer) follows(t Token) bool {
	gap := s.text[s.same:t.Start]
	return gap == "" || gap == " " && s.same > 0
}

// differ begins to write anew, after the text up to an offset.
func (s *sanitizer) differ(offset int) {
	if s.wrote {
		return
	}
	s.wrote = true
	s.out.Grow(len(s.text))
	s.out.WriteString(s.text[:offset])
}

func (s *sanitizer) result() string {
	out := s.text[:s.same]
	if s.wrote {
		out = s.out.String()
	}
	if !utf8.ValidString(out) {
		return strings.ToValidUTF8(out, "\uFFFD")
	}
	return out
}
