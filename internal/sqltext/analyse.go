package sqltext

import "strings"

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
