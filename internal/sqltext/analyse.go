package sqltext

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
