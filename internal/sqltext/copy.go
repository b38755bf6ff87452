package sqltext

import "strings"

// IsCopy reports whether a text begins with PostgreSQL's COPY.
func IsCopy(d Dialect, text string) bool {
	lexer := NewLexer(d, text)
	for {
		t, ok := lexer.Next()
		if !ok {
			return false
		}
		if t.Kind != Space && t.Kind != Comment {
			return t.Kind == Word && strings.EqualFold(text[t.Start:t.End], "copy")
		}
	}
}
