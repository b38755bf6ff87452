package expr

import (
	"database/sql"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Textual are the types of fields that hold text.
type Textual interface {
	~string | *string | sql.NullString | sql.Null[string]
}

// Like says that a field matches a pattern, in which % is any text and _ any
// character. Whether case matters, and whether \ makes % and _ plain, depends
// on the database; the escape character, such as '/', makes them plain in all
// of them. See [Contains] for plain text.
func Like[T Textual](field *T, pattern string, escape ...rune) Cond {
	return Of(field).Like(pattern, escape...)
}

// ILike is [Like], but ignores case: lower(field) LIKE lower(pattern).
func ILike[T Textual](field *T, pattern string, escape ...rune) Cond {
	return Of(field).ILike(pattern, escape...)
}

// Contains says that a field contains a text, in which % and _ are plain. Letters
// are compared as by [Like].
func Contains[T Textual](field *T, part string) Cond { return Of(field).Contains(part) }

// HasPrefix says that a field begins with a text. Letters are compared as by [Like].
func HasPrefix[T Textual](field *T, start string) Cond { return Of(field).HasPrefix(start) }

// HasSuffix says that a field ends with a text. Letters are compared as by [Like].
func HasSuffix[T Textual](field *T, end string) Cond { return Of(field).HasSuffix(end) }

// EscapeLike returns a text for use in a pattern of [Like] with the escape
// character '/': what it contains is plain.
func EscapeLike(text string) string { return plain.Replace(text) }

var (
	plain = strings.NewReplacer("%", "/%", "_", "/_", "/", "//")
	slash = []rune{'/'}
)

func like(of term.Node, pattern string, escape []rune) *term.Like {
	l := &term.Like{Of: of, Pattern: pattern}
	if len(escape) > 0 {
		l.Escape = escape[0]
	}
	return l
}
