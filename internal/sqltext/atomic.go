package sqltext

import (
	"slices"
	"strings"
)

// Atomic reports whether a text is known to be one statement that takes effect
// as a whole or not at all: when it fails outside a transaction and the server
// says that it is undone, nothing of it is left. It is a list of what is: SELECT,
// VALUES, TABLE, INSERT, REPLACE, UPDATE, DELETE, MERGE and WITH of these, SHOW,
// DESCRIBE, and EXPLAIN without ANALYZE. Whatever is not known to be on it is
// not atomic, and so is what can't be told for certain.
//
// Off the list by dialect:
//
//   - MySQL and MariaDB: a write that reads or changes more than the one table it
//     names, because a table without transactions keeps the rows that were
//     written before the other failed; SELECT … INTO and an assignment to a
//     variable, whose effects nothing undoes; comments that are executed.
//   - PostgreSQL: SELECT … INTO, which creates a table.
//   - SQLite: OR FAIL, which keeps the rows before the failure.
//   - A dialect that is not known: whatever is off it for one of these, MERGE, and
//     a text with a word that could begin a second statement.
//
// What a text does not show is not seen: triggers, functions, foreign tables,
// sequences, locks of the session.
func Atomic(d Dialect, text string) bool {
	return isSingle(d, text) && listed(d, text)
}

// AtomicBatch is [Atomic] of several statements, joined by semicolons, that
// PostgreSQL runs in one transaction of their own: each has to be atomic.
func AtomicBatch(text string) bool {
	lexer, start := NewLexer(PostgreSQL, text), 0
	for {
		t, ok := lexer.Next()
		switch raw := text[min(t.Start, len(text)):min(t.End, len(text))]; {
		case !ok:
			return Atomic(PostgreSQL, text[start:])
		case t.Kind == Comment && strings.Contains(raw, ";"):
			return false // one that hides a statement: it ends with its line, not with its text
		case t.Kind == Punct && raw == ";":
			if !Atomic(PostgreSQL, text[start:t.Start]) {
				return false
			}
			start = t.End
		}
	}
}

// isSingle reports whether a text holds one statement, and nothing that could be
// read as another one by a server whose settings differ from what the lexer
// takes for granted.
func isSingle(d Dialect, text string) bool {
	lexer := NewLexer(d, text)
	begun, ended := false, false
	for {
		t, ok := lexer.Next()
		if !ok {
			return begun
		}
		raw := text[t.Start:t.End]
		switch {
		case executed(d, raw), endsElsewhere(d, t.Kind, raw):
			return false
		case t.Kind == Space || t.Kind == Comment:
		case raw == ";":
			if !begun {
				return false
			}
			ended = true
		case ended:
			return false
		default:
			begun = true
		}
	}
}

// executed reports whether a token frames a comment that MySQL or MariaDB
// executes, by its version: whether it does can't be told.
func executed(d Dialect, raw string) bool {
	return d != PostgreSQL && d != SQLite &&
		(strings.HasPrefix(raw, "/*!") || strings.HasPrefix(raw, "/*M!") || raw == "*/")
}

// endsElsewhere reports whether a literal ends elsewhere for a server that takes a
// backslash for the opposite: NO_BACKSLASH_ESCAPES of MySQL,
// standard_conforming_strings of PostgreSQL.
func endsElsewhere(d Dialect, k Kind, raw string) bool {
	switch k {
	case Undecided:
		return true
	case String, Quoted, Opaque:
	default:
		return false
	}
	switch {
	case d == Generic && k == Opaque:
		return true
	case d == SQLite && k != Opaque, raw[0] == '$', d == PostgreSQL && raw[0]|0x20 == 'e':
		return false
	}
	return strings.Contains(raw, `\'`) || strings.Contains(raw, `\"`)
}

// listed is [Atomic] for a single statement.
func listed(d Dialect, text string) bool {
	w := newWalk(d, text)
	for w.next() && w.raw == "(" { // (SELECT …) UNION (SELECT …)
	}
	verb, nested := w.word, w.depth > 0
	oneTable := d == MySQL || d == Generic
	switch {
	case d == Generic && !alone(text):
		return false
	case verb == "select", verb == "values", verb == "table":
		return reads(d, text)
	case verb == "with" && !oneTable:
		return reads(d, text) && !orFail(d, text)
	case verb == "with":
		return w.main() == "select" && reads(d, text)
	case nested:
		return false
	case verb == "explain", verb == "describe", verb == "desc":
		return explains(w, text)
	case verb == "show":
		return true
	case verb == "merge":
		return !oneTable
	case verb == "insert", verb == "replace":
		return !orFail(d, text) && (!oneTable || touchesOne(d, text))
	case verb == "update":
		return !orFail(d, text) && (!oneTable || w.names("set") && touchesOne(d, text))
	case verb == "delete":
		return !oneTable || w.from() && w.names("where", "order", "limit", "returning") && touchesOne(d, text)
	}
	return false
}

// reads reports whether a query puts what it finds nowhere but into its answer.
func reads(d Dialect, text string) bool {
	w := newWalk(d, text)
	for before := ""; w.next(); before = w.word {
		switch {
		case w.assigns():
			return false
		case w.word != "into":
		case d == PostgreSQL && (before == "insert" || before == "merge"), d == SQLite:
		default:
			return false
		}
	}
	return true
}

// touchesOne reports whether a write of MySQL is about the table that it names
// and no other.
func touchesOne(d Dialect, text string) bool {
	w := newWalk(d, text)
	first := w
	deletes := first.next() && first.word == "delete"
	for w.next() {
		if w.assigns() || slices.Contains(others, w.word) || w.depth == 0 && w.word == "using" {
			return false
		}
		if d == Generic && w.depth == 0 && w.word == "from" && !deletes {
			return false // UPDATE … FROM
		}
	}
	return true
}

// others are the words by which a write reaches another table, or another time.
var others = []string{"select", "table", "with", "join", "straight_join", "delayed"}

// orFail reports whether a write of SQLite keeps the rows before its failure.
func orFail(d Dialect, text string) bool {
	if d != SQLite && d != Generic {
		return false
	}
	w := newWalk(d, text)
	for before := ""; w.next(); before = w.word {
		if before == "or" && w.word == "fail" {
			return true
		}
	}
	return false
}

// explains reports whether an EXPLAIN does not run its statement. w is behind
// its first word.
func explains(w walk, text string) bool {
	options := w
	if options.next() && (options.raw == "(" || w.dialect == Generic && options.word == "plan") {
		for options.next() && options.depth > 0 {
			if options.kind == Name || options.kind == Quoted || options.kind == Opaque {
				return false // "analyze"
			}
		}
		if w.dialect == Generic {
			return false
		}
	}
	for before := ""; w.next(); before = w.word {
		if w.word == "analyze" || w.word == "analyse" || before == "into" && w.kind == Variable {
			return false
		}
	}
	return true
}

// alone reports whether no word of a text in an unknown dialect could begin a
// second statement, which some dialects let follow without a semicolon.
func alone(text string) bool {
	w := newWalk(Generic, text)
	w.next()
	for before := w.word; w.next(); before = w.word {
		switch {
		case w.word == "update" && (before == "for" || before == "key" || before == "do"):
		case slices.Contains(beginnings, w.word):
			return false
		}
	}
	return true
}

// beginnings are the words that begin statements other than those which stand
// inside one of the list as well.
var beginnings = []string{
	"insert", "update", "delete", "merge", "exec", "execute", "call", "drop", "create", "alter", "truncate", "begin",
	"declare", "commit", "rollback", "save", "if", "while", "print", "waitfor", "use", "grant", "revoke", "deny",
	"backup", "restore", "bulk", "kill", "shutdown", "dbcc", "raiserror", "throw", "return", "goto", "open", "close",
	"reconfigure", "load", "copy",
}

// walk goes through the tokens of a statement that are neither white space
// nor comment.
type walk struct {
	lexer   Lexer
	dialect Dialect
	text    string

	kind  Kind
	raw   string
	word  string // raw in lower case, if it is a word
	depth int    // of parentheses, behind the token
}

func newWalk(d Dialect, text string) walk {
	return walk{lexer: NewLexer(d, text), dialect: d, text: text}
}

// next takes the next token. It returns false at the end.
func (w *walk) next() bool {
	for {
		t, ok := w.lexer.Next()
		if !ok {
			w.raw, w.word = "", ""
			return false
		}
		if t.Kind == Space || t.Kind == Comment {
			continue
		}
		w.kind, w.raw, w.word = t.Kind, w.text[t.Start:t.End], ""
		switch {
		case t.Kind == Word:
			w.word = strings.ToLower(w.raw)
		case w.raw == "(":
			w.depth++
		case w.raw == ")":
			w.depth--
		}
		return true
	}
}

// assigns reports whether the token begins an assignment to a variable, as
// MySQL writes it in an expression.
func (w *walk) assigns() bool {
	if w.dialect != MySQL && w.dialect != Generic || w.raw == "" || w.raw[0] != ':' {
		return false
	}
	if len(w.raw) > 1 {
		return w.raw[1] == '='
	}
	rest := *w
	return rest.next() && rest.raw[0] == '='
}

// main returns the verb of the statement behind WITH.
func (w *walk) main() string {
	for before := w.word; w.next(); before = w.raw {
		switch w.word {
		case "select", "insert", "update", "delete", "replace", "merge", "values", "table":
			name := before == "," || strings.EqualFold(before, "with") || strings.EqualFold(before, "recursive")
			if w.depth == 0 && !name {
				return w.word
			}
		}
	}
	return ""
}

// names reports whether nothing but the name of one table, and what is said of
// it, stands before one of the words, or the end.
func (w *walk) names(before ...string) bool {
	for last := ""; w.next(); last = w.word {
		switch {
		case w.raw == "(" && w.depth == 1 && last != "partition" && last != "index" && last != "key":
			return false // (t, u), a join
		case w.depth > 0, w.raw == ")":
		case slices.Contains(before, w.word):
			return true
		case w.raw == ";", w.raw == ".":
		case w.kind != Word && w.kind != Name && w.kind != Quoted:
			return false
		}
	}
	return !slices.Contains(before, "set")
}

// from reports whether nothing but modifiers stands between DELETE and FROM.
func (w *walk) from() bool {
	for w.next() {
		switch w.word {
		case "from":
			return true
		case "low_priority", "quick", "ignore":
		default:
			return false
		}
	}
	return false
}
