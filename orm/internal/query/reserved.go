package query

import (
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// reserved are words that a database takes for itself where a table's name could
// stand, by the manuals of PostgreSQL, MariaDB and SQLite: those that relations
// are called after.
var reserved = map[string]bool{}

func init() {
	for w := range strings.FieldsSeq(`all analyse analyze and any array as asc asymmetric both case cast change check collate column condition
		constraint create cross current_role current_user cursor database default deferrable desc describe distinct do else end except exists
		false fetch for foreign from full function grant group groups having in index initially inner interval intersect into is join key keys
		lateral leading left like limit localtime lock match natural not null offset on only option or order outer over overlaps partition placing
		primary procedure range rank read recursive references release return right row rows schema select session_user set signal similar some
		symmetric system table then to trailing trigger true union unique update usage user using values variadic when where window with write`) {
		reserved[w] = true
	}
}

// quoteNames quotes the names of a query's tables in a text, where they qualify a
// column and the database would take them for something else: user.name. What is
// in quotes is left alone.
func quoteNames(d *engine.Dialect, text string, names map[string]bool) string {
	if len(names) == 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			end := i + 1
			for end < len(text) && text[end] != c {
				end++
			}
			end = min(end+1, len(text))
			b.WriteString(text[i:end])
			i = end
		case isWord(c):
			end := i
			for end < len(text) && isWord(text[end]) {
				end++
			}
			word := text[i:end]
			if lower := strings.ToLower(word); names[lower] && end < len(text) && text[end] == '.' && (i == 0 || text[i-1] != '.' && text[i-1] != ':') {
				word = d.QuoteName(lower)
			}
			b.WriteString(word)
			i = end
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// reservedNames are the names of the query's tables that can't be written as they
// are.
func (q Select) reservedNames(t *mapping.Table) (names map[string]bool) {
	note := func(name string) {
		if reserved[name] {
			if names == nil {
				names = map[string]bool{}
			}
			names[name] = true
		}
	}
	note(t.Name)
	note(q.Alias)
	for _, j := range q.Joins {
		for i := range j.Path + "." {
			if i == len(j.Path) || j.Path[i] == '.' {
				note(aliasOf(j.Path[:i]))
			}
		}
	}
	return names
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
