package sqltext

import "strings"

// TxEffect is what a statement does to its connection: whether it may begin or
// end a transaction, or have the server begin one by itself.
type TxEffect uint8

const (
	// TxUnknown is the effect of what is on no list: a transaction may be open
	// after it that was not before, or the server may begin one with each
	// statement from now on.
	TxUnknown TxEffect = iota
	// TxNeutral is the effect of a statement after which no transaction is open
	// that was not open before.
	TxNeutral
	// TxBegins is the effect of a statement that, once it has succeeded, has
	// begun a transaction, or was in one.
	TxBegins
	// TxEnds is the effect of a statement that, once it has succeeded, has ended
	// the transaction, whether or not the server begins another by itself.
	TxEnds
	// TxMayBegin is the effect of a statement after which a transaction may be
	// open, and that changes nothing for those that follow it.
	TxMayBegin
)

// TxEffectOf tells from a statement's text what it does to its connection's
// transaction. What it does not know is [TxUnknown], and so is a text of several
// statements, unless the database has no setting that such a text could change.
// It allocates nothing.
//
// The lists are of what is known: for PostgreSQL every single statement but those
// that control transactions, for SQLite likewise (sqlite.org/lang_transaction.html,
// lang_savepoint.html); for MySQL and MariaDB, whose procedures may begin
// transactions and whose variables have the server begin them, the statements that
// read and change rows, DDL, which commits, and SET of other variables. Of an
// unknown dialect only statements that have nothing of a transaction's in them.
func TxEffectOf(d Dialect, text string) TxEffect {
	if d != Generic && plain(text) {
		return TxNeutral
	}
	if e, ok := txEffects.Get(d, text); ok {
		return e
	}
	e := txEffectOf(d, text)
	txEffects.Put(d, text, e)
	return e
}

// txEffects keeps what was found out about texts that are not plain.
var txEffects = NewCache[TxEffect](0, 0)

// plain reports whether a text is one statement that reads or changes rows, as
// far as that shows at a glance.
func plain(text string) bool {
	for text != "" && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t') {
		text = text[1:]
	}
	if len(text) < 8 {
		return false
	}
	head := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | 0x202020202020
	switch head {
	case headSelect, headInsert, headUpdate, headDelete, headValues:
	default:
		return false
	}
	if isWord(text[6]) {
		return false
	}
	i := strings.IndexByte(text, ';')
	return i < 0 || strings.Trim(text[i:], "; \t\r\n") == ""
}

// The most frequent of rowVerbs as numbers, for a comparison at one go.
const (
	headSelect = 's' | 'e'<<8 | 'l'<<16 | 'e'<<24 | 'c'<<32 | 't'<<40
	headInsert = 'i' | 'n'<<8 | 's'<<16 | 'e'<<24 | 'r'<<32 | 't'<<40
	headUpdate = 'u' | 'p'<<8 | 'd'<<16 | 'a'<<24 | 't'<<32 | 'e'<<40
	headDelete = 'd' | 'e'<<8 | 'l'<<16 | 'e'<<24 | 't'<<32 | 'e'<<40
	headValues = 'v' | 'a'<<8 | 'l'<<16 | 'u'<<24 | 'e'<<32 | 's'<<40
)

// rowVerbs begin the statements that read and change rows.
var rowVerbs = []string{"select", "insert", "update", "delete", "with", "values", "merge", "replace", "table"}

func inFold(list []string, word string) bool {
	for _, w := range list {
		if len(w) == len(word) && strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

func txEffectOf(d Dialect, text string) TxEffect {
	s, ok := outline(d, text)
	switch {
	case ok && d == PostgreSQL:
		return s.postgres()
	case ok && d == SQLite:
		return s.sqlite()
	case ok && d == MySQL:
		return s.mysql(text)
	case ok:
		return s.generic()
	case d == PostgreSQL, d == SQLite:
		return TxMayBegin // neither has a setting for it
	}
	return TxUnknown
}

// statement is the outline of a single statement.
type statement struct {
	head     [4]string // its first tokens, but for blanks and comments
	n        int       // how many tokens there are, at most one more than in head
	controls bool      // it has a word that controls transactions
}

// outline takes the first tokens of a text. It reports false for a text of
// several statements, and for one that servers may read in several ways.
func outline(d Dialect, text string) (s statement, ok bool) {
	if ambiguous(d, text) {
		return s, false
	}
	lexer := NewLexer(d, text)
	ended := false
	for {
		t, more := lexer.Next()
		if !more {
			return s, s.n > 0
		}
		raw := text[t.Start:t.End]
		switch {
		case t.Kind == Space:
			continue
		case t.Kind == Comment:
			if executable(d, raw) {
				return s, false
			}
			continue
		case t.Kind == Punct && raw == ";":
			ended = true
			continue
		case ended, t.Kind == Undecided && strings.Contains(strings.TrimRight(raw, "; \t\r\n"), ";"):
			return s, false
		case t.Kind == Undecided:
			s.controls = s.controls || containsWord(raw, controls)
		}
		if s.n < len(s.head) {
			s.head[s.n] = raw
		}
		s.n = min(s.n+1, len(s.head)+1)
		s.controls = s.controls || t.Kind == Word && inFold(controls, raw)
	}
}

// containsWord reports whether a text of which nothing else is known has one of
// the words in it.
func containsWord(text string, list []string) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < 0x80 && !isWord(byte(r)) }) {
		if inFold(list, word) {
			return true
		}
	}
	return false
}

// executable reports whether there may be a statement in a comment: it is none to
// MySQL or MariaDB, or ends before its line does.
func executable(d Dialect, comment string) bool {
	if !strings.HasPrefix(comment, "/") && comment != "*/" {
		return strings.Contains(strings.TrimRight(comment, "\r\n"), "\r")
	}
	return (d == MySQL || d == Generic) &&
		(strings.HasPrefix(comment, "/*!") || strings.HasPrefix(comment, "/*M!") || comment == "*/")
}

// ambiguous reports whether a semicolon that does not end the text may divide it,
// by the mode of the server or, of an unknown one, by its dialect: modes disagree
// on what a backslash means in a literal.
func ambiguous(d Dialect, text string) bool {
	return strings.Contains(strings.TrimRight(text, "; \t\r\n"), ";") && (d == Generic || strings.Contains(text, `\`))
}

// is reports whether the statement begins with words, or with anything for an
// empty one.
func (s *statement) is(words ...string) bool {
	for i, w := range words {
		if i >= s.n || !strings.EqualFold(s.head[i], w) {
			return false
		}
	}
	return true
}

// alone reports whether the statement is its first word, or that with one of
// words, and nothing else.
func (s *statement) alone(words ...string) bool {
	return s.n == 1 || s.n == 2 && inFold(words, s.head[1])
}

// startsPlain reports whether the statement begins with a word.
func (s *statement) startsPlain() bool { return isLetter(s.head[0][0]) }

func (s *statement) postgres() TxEffect {
	switch {
	case s.is("begin"), s.is("start", "transaction"):
		return TxBegins
	case s.is("rollback", "to"), s.is("rollback", "work", "to"), s.is("rollback", "transaction", "to"):
		return TxNeutral // refused outside of one
	case s.is("commit"), s.is("end"), s.is("rollback"), s.is("abort"):
		if s.alone("work", "transaction") {
			return TxEnds
		}
		return TxMayBegin // AND CHAIN
	case s.is("savepoint"), s.is("release"), s.is("("), inFold(postgresNeutral, s.head[0]):
		return TxNeutral
	case s.is("prepare") && !s.is("prepare", "transaction"):
		return TxNeutral
	}
	return TxMayBegin // EXECUTE, and pgx's names of prepared statements: it may be BEGIN
}

// MayBeName reports whether a text that PostgreSQL's drivers are given may be the
// name of a prepared statement, which pgx takes in place of one: it does not begin
// as statements do.
func MayBeName(text string) bool {
	if plain(text) {
		return false
	}
	lexer := NewLexer(PostgreSQL, text)
	for {
		switch t, ok := lexer.Next(); {
		case !ok:
			return false
		case t.Kind != Space && t.Kind != Comment:
			first := text[t.Start:t.End]
			return first != "(" && !inFold(postgresNeutral, first) && !inFold(postgresControls, first)
		}
	}
}

// postgresControls begin the statements that control transactions, or that may.
var postgresControls = []string{
	"begin", "start", "commit", "end", "abort", "rollback", "savepoint", "release", "prepare", "execute",
}

// postgresNeutral begin the statements of PostgreSQL, and of databases that speak
// its protocol, that neither begin nor end a transaction, but for those that
// control transactions and EXECUTE, which can execute them. What is no
// statement's verb may be the name of a prepared one, which pgx takes in place of
// a text.
var postgresNeutral = []string{
	"select", "insert", "update", "delete", "with", "values", "merge", "table",
	"create", "alter", "drop", "truncate", "comment", "grant", "revoke", "security", "reassign", "import",
	"set", "reset", "show", "discard", "explain", "deallocate", "lock", "copy", "call", "do", "load",
	"declare", "fetch", "move", "close", "listen", "notify", "unlisten",
	"analyze", "analyse", "checkpoint", "cluster", "refresh", "reindex", "repack", "vacuum",
	"upsert", "replace", "use", "describe", "backup", "restore", "export", "cancel", "pause", "resume", "unload", // others'
}

func (s *statement) sqlite() TxEffect {
	switch {
	case s.is("begin"), s.is("savepoint"):
		return TxBegins
	case s.is("rollback", "to"), s.is("rollback", "transaction", "to"):
		return TxNeutral // refused outside of one
	case s.is("commit"), s.is("end"), s.is("rollback"):
		if s.alone("transaction") {
			return TxEnds
		}
		return TxMayBegin
	case s.is("release"):
		return TxMayBegin // the outermost savepoint ends the transaction
	case s.startsPlain():
		return TxNeutral
	}
	return TxMayBegin
}

// mysqlNeutral begin the statements of MySQL and MariaDB that begin no
// transaction, besides rowVerbs. Some of them commit the one that is open.
// Functions and triggers, which they may call, can do neither: MySQL Reference
// Manual, "Statements That Cause an Implicit Commit" and "Restrictions on Stored
// Programs".
var mysqlNeutral = []string{
	"show", "explain", "describe", "desc", "use", "alter", "drop", "truncate", "rename",
	"grant", "revoke", "analyze", "optimize", "load",
}

func (s *statement) mysql(text string) TxEffect {
	switch {
	case s.is("begin"):
		if s.alone("work") {
			return TxBegins
		}
		return TxUnknown // MariaDB's compound statement
	case s.is("start", "transaction"):
		return TxBegins
	case s.is("commit"), s.is("rollback"):
		if s.alone("work") {
			return TxEnds
		}
		return TxMayBegin // AND CHAIN; to a savepoint
	case s.is("savepoint"), s.is("release", "savepoint"):
		return TxMayBegin
	case s.is("set"):
		if s.n > 1 && !s.is("set", "statement") && !containsFold(text, "autocommit") && !containsFold(text, "completion_type") {
			return TxNeutral
		}
	case inFold(rowVerbs, s.head[0]), inFold(mysqlNeutral, s.head[0]), s.is("("):
		return TxNeutral
	case s.is("create") && !s.controls: // CREATE TABLE … START TRANSACTION begins one
		return TxNeutral
	}
	return TxUnknown
}

// genericNeutral begin statements that begin no transaction in any dialect.
var genericNeutral = []string{"show", "explain", "describe", "create", "alter", "drop", "truncate"}

// controls are the words by which a statement of an unknown dialect, which may
// need no semicolon before the next, controls a transaction.
var controls = []string{
	"begin", "commit", "rollback", "abort", "savepoint", "tran", "transaction", "transactions", "work",
	"implicit_transactions", "autocommit", "call", "exec", "execute", "declare",
}

func (s *statement) generic() TxEffect {
	switch {
	case s.is("begin"), s.is("start", "transaction"):
		return TxBegins
	case !s.controls && (inFold(rowVerbs, s.head[0]) || inFold(genericNeutral, s.head[0])):
		return TxNeutral
	case s.is("commit"), s.is("rollback"):
		return TxMayBegin // it may have ended the inner one of two
	}
	return TxUnknown
}

// containsFold reports whether text contains word, which is in lower case,
// whatever the case.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0]|0x20 && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
