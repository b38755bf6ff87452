package sqltext

import "strings"

// An Access says what the statements of a text do with data.
type Access struct {
	// ReadOnly says that each of them is certain to change nothing that others can
	// see, data or locks, as far as the text tells.
	ReadOnly bool
	// Single says that the text is one statement.
	Single bool
}

// accesses keeps what was found out about texts, for all who ask.
var accesses = NewCache[Access](0, 0)

// AccessOf returns what the statements of a text do with data. A text is analysed
// once.
func AccessOf(d Dialect, text string) Access {
	a, ok := accesses.Get(d, text)
	if !ok {
		a = analyse(d, text)
		accesses.Put(d, text, a)
	}
	return a
}

func analyse(d Dialect, text string) Access {
	out := Access{ReadOnly: true}
	statements := 0
	for r := (reader{lexer: NewLexer(d, text), text: text}); r.next(); {
		statements++
		out.ReadOnly = out.ReadOnly && r.readOnly()
	}
	out.Single = statements == 1
	out.ReadOnly = out.ReadOnly && statements > 0
	return out
}

// reader reads the words of a text, statement by statement.
type reader struct {
	lexer Lexer
	text  string
	words
}

// next reads a statement up to its end, and returns false when there is none.
func (r *reader) next() bool {
	r.words = words{}
	for {
		t, ok := r.lexer.Next()
		raw := r.text[t.Start:t.End]
		switch {
		case !ok, raw == ";":
			if r.at == (piece{}) && ok {
				continue // an empty statement
			}
			found := r.at != (piece{})
			r.push(piece{})
			return found
		case t.Kind == Space, t.Kind == Comment:
			continue
		case t.Kind == Undecided:
			r.changes = true
		}
		switch t.Kind {
		case Word:
			r.push(piece{text: strings.ToLower(raw), named: true, plain: true})
		case Name, Quoted:
			r.push(piece{text: strings.ToLower(strings.Trim(raw, "\"`[]")), named: true})
		default:
			r.push(piece{text: raw})
		}
	}
}

// piece is a token that says something. The zero piece is none.
type piece struct {
	text  string // in lower case, without quotes
	named bool   // a word or a name in quotes
	plain bool   // a word
}

// words is what was read of one statement.
type words struct {
	first, second string // its first words
	before, at    piece  // the last two pieces

	changes bool // there is a word of change, or something that can't be told
	runs    bool // there is a word that, under EXPLAIN ANALYZE, makes a change
	cursor  bool // there is the word CURSOR
}

// push reads a piece, with which the one before it can be judged: a bracket
// makes a function of it.
func (w *words) push(next piece) {
	switch at := w.at; {
	case !at.named:
	case next.text == "(":
		w.changes = w.changes || acts(at.text) || at.plain && changes(at.text)
	case at.plain && w.before.text != ".": // else it is a column
		w.keyword(at.text, w.before.text)
	}
	switch {
	case !next.plain:
	case w.first == "":
		w.first = next.text
	case w.second == "":
		w.second = next.text
	}
	w.before, w.at = w.at, next
}

// keyword reads a word that no bracket follows.
func (w *words) keyword(word, before string) {
	switch word {
	case "insert", "replace": // functions, if a bracket follows
		w.changes = true
	case "share": // FOR SHARE, FOR KEY SHARE, LOCK IN SHARE MODE
		w.changes = w.changes || before == "for" || before == "key" || before == "in"
	case "value": // NEXT VALUE FOR a sequence
		w.changes = w.changes || before == "next"
	case "create", "declare", "execute", "refresh":
		w.runs = true
	case "cursor":
		w.cursor = true
	default:
		w.changes = w.changes || changes(word)
	}
}

// changes reports whether a word stands for a change wherever it stands: for a
// statement, a locking clause, or the target of SELECT INTO.
func changes(word string) bool {
	switch word {
	case "update", "delete", "merge", "into":
		return true
	}
	return false
}

// readOnly reports whether the statement only reads, by its first words.
func (w *words) readOnly() bool {
	if w.changes {
		return false
	}
	switch w.first {
	case "select", "values", "table", "with", "show", "fetch", "move", "close", "deallocate", "savepoint", "release":
		return true
	case "explain", "describe", "desc":
		return !w.runs
	case "declare":
		return w.cursor
	case "start":
		return w.second == "transaction"
	case "begin", "end", "abort", "commit", "rollback":
		// Not blocks of a procedure, nor two-phase commit, the work of which was
		// done elsewhere.
		switch w.second {
		case "", "work", "transaction", "to", "and", "isolation", "read", "deferred", "immediate", "exclusive":
			return true
		}
	}
	return false
}

// acts reports whether a function of the databases themselves is known to
// change what others can see. Functions that users define can't be told.
func acts(function string) bool {
	switch function {
	case "nextval", "setval", // PostgreSQL and MariaDB: sequences
		"pg_notify", "pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile",
		"pg_switch_wal", "pg_promote", "set_config", "lowrite", "dblink", "dblink_exec",
		"get_lock", "release_lock", "release_all_locks", // MySQL and MariaDB
		"load_extension", "writefile", "edit": // SQLite
		return true
	}
	for _, prefix := range []string{"pg_advisory_", "pg_try_advisory_", "pg_create_", "pg_drop_", "pg_logical_", "pg_replication_", "lo_"} {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}
