package sqltext

import (
	"slices"
	"strings"
)

// KeepsTx reports whether a text is known to leave the transaction that it runs
// in as it is: neither to commit it nor to roll it back as a whole. False means
// that it does, or that nobody knows: the call of a procedure on MySQL, a
// statement that MySQL commits implicitly, a verb that is on no list.
func KeepsTx(d Dialect, text string) bool { return keepsTx(d, text, false) }

// KeepsTxCockroachDB is [KeepsTx] for CockroachDB, which has PostgreSQL's dialect.
// From 25.1 on, by default, it commits the open transaction before a statement that
// changes the schema (autocommit_before_ddl).
func KeepsTxCockroachDB(text string) bool { return keepsTx(PostgreSQL, text, true) }

func keepsTx(d Dialect, text string, cockroach bool) bool {
	if d != Generic && strings.IndexByte(text, ';') < 0 && isData(text) {
		return true // the most frequent, without a lexer
	}
	var s txStatement
	lexer := NewLexer(d, text)
	for {
		t, ok := lexer.Next()
		if !ok {
			return s.keepsTx(d) && (!cockroach || s.keepsCockroachDB())
		}
		switch raw := text[t.Start:t.End]; {
		case t.Kind == Space || t.Kind == Comment:
		case t.Kind == Undecided && strings.Contains(raw, ";"):
			return false
		case raw == ";" && t.Kind == Punct:
			if !s.keepsTx(d) || cockroach && !s.keepsCockroachDB() {
				return false
			}
			s = txStatement{}
		default:
			s.take(t.Kind, raw)
		}
	}
}

// isData reports whether a text begins with the verb of a statement that reads
// or changes rows, in any dialect.
func isData(text string) bool {
	const longest = len("select")
	if len(text) <= longest {
		return false
	}
	switch text[0] | 0x20 {
	case 's', 'i', 'u', 'd':
		verb := text[:longest]
		return !isWord(text[longest]) && (strings.EqualFold(verb, "select") || strings.EqualFold(verb, "insert") ||
			strings.EqualFold(verb, "update") || strings.EqualFold(verb, "delete"))
	}
	return false
}

// txStatement is what KeepsTx has to know of one statement.
type txStatement struct {
	begun  bool
	words  [3]string // the first three, in lower case; "" for what is no word
	taken  int
	paren  bool   // the first token is "("
	last   string // the last word
	assign bool   // there is a "="
	marked bool   // a word that decides about transactions wherever it stands
}

// decisive are words that make a statement of MySQL's SET, or of a dialect that
// is not known, one that may end a transaction.
var decisive = []string{
	"autocommit", "commit", "rollback", "exec", "execute", "call", "begin", "password", "statement", "role", "resource", "default",
}

func (s *txStatement) take(k Kind, raw string) {
	s.paren = s.paren || !s.begun && raw == "("
	s.begun = true
	s.assign = s.assign || raw == "="
	word := ""
	if k == Word || k == Name || k == Quoted {
		word = strings.ToLower(strings.Trim(raw, "`\"[]"))
		s.last = word
		s.marked = s.marked || slices.Contains(decisive, word)
	}
	if s.taken < len(s.words) {
		s.words[s.taken] = word
		s.taken++
	}
	if k == Undecided {
		s.marked = s.marked || containsWord(raw, decisive)
	}
	if k == Variable {
		s.marked = s.marked || strings.Contains(strings.ToLower(raw), "autocommit")
	}
}

func (s *txStatement) keepsTx(d Dialect) bool {
	if !s.begun {
		return true
	}
	switch s.words[0] {
	case "rollback": // TO SAVEPOINT
		return s.words[1] == "to" || s.words[2] == "to"
	case "release":
		// By this name CockroachDB commits.
		return s.last != "cockroach_restart"
	}
	switch d {
	case PostgreSQL:
		// A procedure or a block can't commit inside a transaction of its caller.
		return s.paren || inFold(postgresNeutral, s.words[0]) || slices.Contains([]string{"savepoint", "begin", "start"}, s.words[0]) ||
			s.words[0] == "prepare" && s.words[1] != "transaction"
	case SQLite:
		return s.words[0] != "commit" && s.words[0] != "end"
	case MySQL:
		return s.keepsMySQL()
	default:
		return slices.Contains(dataVerbs, s.words[0]) && !s.marked
	}
}

// cockroachVerbs begin statements before which CockroachDB commits nothing, besides
// rowVerbs.
var cockroachVerbs = []string{
	"upsert", "set", "reset", "show", "explain", "savepoint", "rollback", "release", "begin", "start", "prepare",
	"deallocate", "declare", "fetch", "move", "close", "copy",
}

func (s *txStatement) keepsCockroachDB() bool {
	switch {
	case !s.begun, s.paren:
		return true
	case s.words[0] == "show" && s.words[1] == "commit": // TIMESTAMP
		return false
	}
	return slices.Contains(rowVerbs, s.words[0]) || slices.Contains(cockroachVerbs, s.words[0])
}

// dataVerbs begin statements that end no transaction anywhere.
var dataVerbs = []string{"select", "insert", "update", "delete", "with", "values", "merge", "savepoint"}

// mysqlVerbs begin statements that are not on the list of those that commit
// implicitly: MySQL 8.4 manual, 15.3.3; MariaDB's knowledge base, "SQL Statements
// That Cause an Implicit Commit".
var mysqlVerbs = []string{
	"select", "insert", "update", "delete", "replace", "with", "values", "table", "do",
	"show", "explain", "describe", "desc", "savepoint", "use", "signal",
}

func (s *txStatement) keepsMySQL() bool {
	switch s.words[0] {
	case "":
		return s.words[1] == "select" // in parentheses
	case "create", "drop":
		return s.words[1] == "temporary"
	case "set":
		return !s.marked && (s.assign || slices.Contains([]string{"names", "character", "charset", "transaction", "session"}, s.words[1]))
	}
	return slices.Contains(mysqlVerbs, s.words[0])
}

// EndsTx reports whether a text is certain to commit or roll back the
// transaction that it runs in, as a whole: whether a statement in it is COMMIT,
// END, ABORT, ROLLBACK but not to a savepoint, or PREPARE TRANSACTION.
func EndsTx(d Dialect, text string) bool {
	for _, statement := range Split(d, text) {
		var s txStatement
		lexer := NewLexer(d, statement)
		for s.taken < len(s.words) {
			t, ok := lexer.Next()
			if !ok {
				break
			}
			if t.Kind != Space && t.Kind != Comment {
				s.take(t.Kind, statement[t.Start:t.End])
			}
		}
		if s.ends(d) {
			return true
		}
	}
	return false
}

func (s *txStatement) ends(d Dialect) bool {
	switch s.words[0] {
	case "commit":
		return true
	case "end":
		return d != MySQL
	case "abort":
		return d == PostgreSQL
	case "rollback":
		return s.words[1] != "to" && s.words[2] != "to"
	case "prepare":
		return d == PostgreSQL && s.words[1] == "transaction"
	}
	return false
}
