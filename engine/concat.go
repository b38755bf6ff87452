package engine

import (
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// Concat returns a statement that joins the SQL text of the parts, separated by
// blanks, with the arguments of all. Each part may use its own style of
// parameters: all are rewritten in the database's form. Nil parts are left out.
func Concat(parts ...Statement) Statement { return concat(parts) }

type concat []Statement

// Render implements [Statement].
func (c concat) Render(d *Dialect) (text string, args []any, err error) {
	var b strings.Builder
	for _, part := range c {
		if part == nil {
			continue
		}
		t, a, err := part.Render(d)
		if err != nil {
			return "", nil, err
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if d.Placeholder == backend.Dollar && len(args) > 0 && len(a) > 0 {
			renumber(&b, sqltext.DialectOf(string(d.System)), t, len(args))
		} else {
			b.WriteString(t)
		}
		args = append(args, a...)
	}
	return b.String(), args, nil
}

// renumber writes a text with offset added to the number of every parameter.
func renumber(b *strings.Builder, d sqltext.Dialect, text string, offset int) {
	l := sqltext.NewCommonLexer(d, text)
	for tok, ok := l.Next(); ok; tok, ok = l.Next() {
		word := text[tok.Start:tok.End]
		if tok.Kind == sqltext.Param && word[0] == '$' {
			if n, err := strconv.Atoi(word[1:]); err == nil {
				word = "$" + strconv.Itoa(n+offset)
			}
		}
		b.WriteString(word)
	}
}
