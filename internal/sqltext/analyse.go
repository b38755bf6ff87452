package sqltext

import (
	"slices"
	"strings"
)

// Analysis is what a statement's text says.
type Analysis struct {
	// Summary is what [Summary] returns.
	Summary string
	// Sanitized is what [Sanitize] returns.
	Sanitized string
	// HasParameters says that the statement takes its values as parameters.
	HasParameters bool
}

// Analyse finds out all there is to know of a statement. It is meant to be
// called once per text, with a [Cache] in front.
func Analyse(d Dialect, text string) Analysis {
	return Analysis{Summary: Summary(d, text), Sanitized: Sanitize(d, text), HasParameters: HasParameters(d, text)}
}

// HasParameters reports whether a statement has a parameter.
func HasParameters(d Dialect, text string) bool {
	lexer := NewLexer(d, text)
	for {
		t, ok := lexer.Next()
		if !ok {
			return false
		}
		if t.Kind == Param {
			return true
		}
	}
}

// Compound reports whether a text may be more than one statement to the
// server: several of them, or the call of a procedure or block. When such a
// text fails outside a transaction, a part of it may have been done, whatever
// the error says of its last statement.
func Compound(d Dialect, text string) bool {
	lexer := NewLexer(d, text)
	first, ended := true, false
	for {
		t, ok := lexer.Next()
		if !ok {
			return false
		}
		raw := text[t.Start:t.End]
		switch {
		case t.Kind == Space || t.Kind == Comment:
			continue
		case raw == ";":
			ended = true
			continue
		case ended, first && slices.Contains(compounds, strings.ToLower(raw)):
			return true
		}
		first = false
	}
}

// compounds are the first words of statements that may do several things.
var compounds = []string{"call", "do", "exec", "execute", "begin", "declare"}

// Split returns the statements of a text, without the semicolons between them
// and the white space around them. A semicolon inside a literal, a name or a
// comment divides nothing, nor does one of a procedure's body in dollar quotes.
func Split(d Dialect, text string) (statements []string) {
	lexer := NewLexer(d, text)
	start := 0
	add := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			statements = append(statements, s)
		}
	}
	for {
		t, ok := lexer.Next()
		if !ok {
			add(len(text))
			return statements
		}
		if t.Kind == Punct && text[t.Start:t.End] == ";" {
			add(t.Start)
			start = t.End
		}
	}
}
