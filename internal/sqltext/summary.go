package sqltext

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSummary is the greatest length of a summary, by the semantic conventions
// of OpenTelemetry (database spans, "Generating a summary of the query text").
const maxSummary = 255

// Summary returns the operations of a statement and what they are about, in
// order of appearance and as they are written: "SELECT users",
// "INSERT archive SELECT orders". Common table expressions are no targets. It
// is at most 255 bytes long and not cut inside a word. It holds no literal:
// a quoted text appears only where a table is named. A text in which no
// statement is recognised has no summary.
func Summary(d Dialect, text string) string {
	s := summarizer{text: text, frames: make([]frame, 1, 4), stringNames: d == SQLite || d == Generic}
	s.top().start = true
	lexer := NewLexer(d, text)
	for !s.full {
		t, ok := lexer.Next()
		if !ok {
			break
		}
		if t.Kind != Space && t.Kind != Comment {
			s.take(t, lexer)
		}
	}
	return s.out.String()
}

// summarizer walks through a statement. It follows parentheses, because what
// a word such as FROM means depends on the statement it belongs to.
type summarizer struct {
	text   string
	out    strings.Builder
	full   bool
	frames []frame             // one per open parenthesis, the statement's first
	prev   string              // the word before, in lower case
	ctes   map[string]struct{} // names of common table expressions, in lower case

	stringNames bool // a table may be named by a string, which SQLite allows
}

// frame is the state inside one pair of parentheses.
type frame struct {
	verb   string // the first word of the statement, in lower case
	start  bool   // a statement may begin here
	expect bool   // a target is named next
	list   bool   // a comma brings another target
	with   bool   // between WITH and its statement
	naming bool   // a common table expression is named next
	past   bool   // behind the tables of the statement: another FROM is an operator
	ddl    bool   // what kind of thing is created has not been said yet
}

func (s *summarizer) top() *frame { return &s.frames[len(s.frames)-1] }

func (s *summarizer) take(t Token, rest Lexer) {
	raw, word := s.text[t.Start:t.End], ""
	f := s.top()
	switch t.Kind {
	case Word:
		word = strings.ToLower(raw)
		s.word(raw, word, rest)
	case Name, Quoted:
		s.name(raw, rest)
	case String:
		if f.verb == "select" && s.stringNames {
			s.name(raw, rest)
		}
		f.expect = false
	case Punct:
		s.punct(raw)
	default:
		f.expect = false
	}
	s.prev = word
}

func (s *summarizer) punct(raw string) {
	f := s.top()
	switch raw {
	case "(":
		only := f.expect && s.prev == "only" // FROM ONLY (t)
		f.expect, f.start = false, false
		s.frames = append(s.frames, frame{start: !only, expect: only})
	case ")":
		if len(s.frames) > 1 {
			s.frames = s.frames[:len(s.frames)-1]
		}
	case ";":
		s.frames = s.frames[:1]
		clear(s.ctes)
		s.frames[0] = frame{start: true}
	case ",":
		f.expect, f.naming = f.list, f.with
	default:
		f.expect, f.start = false, false
	}
}

// word takes a word: the beginning of a statement, a keyword, or a name.
func (s *summarizer) word(raw, word string, rest Lexer) {
	f := s.top()
	isName := rest.qualifies() || f.naming
	switch {
	case f.with && !f.naming && s.begin(raw, word), f.start && !f.with && !isName && s.begin(raw, word):
	case f.ddl && !isName:
		s.kind(raw, word)
	case f.expect && !isName && slices.Contains(beforeTarget, word):
	case f.expect && !isName && s.clause(word):
	case f.expect, f.naming:
		s.name(raw, rest)
	case word == "select":
		s.begin(raw, word)
	default:
		s.clause(word)
	}
}

// What may stand between a keyword and the target it announces.
var beforeTarget = []string{
	"only", "lateral", "if", "not", "exists", "low_priority", "high_priority", "ignore", "delayed", "quick",
	"concurrently", "table", "into", "from",
}

// begin acts on a word where a statement may begin, and reports whether it
// has to do with one.
func (s *summarizer) begin(raw, word string) bool {
	f := s.top()
	if f.verb == "explain" && slices.Contains(afterExplain, word) {
		return true
	}
	expect, known := openings[word]
	if !known || len(s.frames) > 1 && !slices.Contains(nested, word) {
		f.start = false
		return false
	}
	if word == "with" {
		f.with, f.naming, f.start = true, true, false
		return true
	}
	*f = frame{
		verb: word, expect: expect, list: word == "update" || word == "truncate",
		start: word == "explain",
		ddl:   word == "create" || word == "alter" || word == "drop" || word == "refresh",
	}
	s.write(raw)
	return true
}

// afterExplain are the words between EXPLAIN and its statement.
var afterExplain = []string{"analyze", "verbose", "query", "plan", "extended", "format"}

// nested are the statements that parentheses may hold.
var nested = []string{"select", "with", "insert", "update", "delete", "merge", "values", "table"}

// openings are the words that begin a statement, and whether a target follows
// straight away.
var openings = map[string]bool{
	"with": false, "select": false, "insert": false, "replace": false, "delete": false, "merge": false, "values": false,
	"update": true, "truncate": true, "call": true, "copy": true, "pragma": true, "exec": true, "table": true,
	"create": false, "alter": false, "drop": false, "refresh": false,
	"begin": false, "start": false, "commit": false, "rollback": false, "savepoint": false, "release": false, "end": false,
	"abort": false, "set": false, "reset": false, "show": false, "use": false, "explain": false, "analyze": false,
	"vacuum": false, "grant": false, "revoke": false, "lock": false, "unlock": false, "listen": false, "notify": false,
	"unlisten": false, "do": false, "execute": false, "prepare": false, "deallocate": false, "declare": false,
	"fetch": false, "close": false, "move": false, "discard": false, "checkpoint": false, "reindex": false,
	"cluster": false, "comment": false, "load": false, "attach": false, "detach": false, "describe": false, "desc": false,
	"kill": false, "optimize": false, "repair": false, "flush": false, "handler": false, "install": false, "xa": false,
}

// kind acts on the words between CREATE, ALTER or DROP and the name of what
// is created; the kind of thing belongs to the operation.
func (s *summarizer) kind(raw, word string) {
	f := s.top()
	if slices.Contains(kinds, word) {
		s.write(raw)
		f.ddl, f.expect = word == "materialized", word != "materialized"
	}
}

var kinds = []string{
	"table", "view", "index", "sequence", "schema", "database", "function", "procedure", "trigger", "type", "domain",
	"extension", "role", "user", "event", "materialized", "policy", "rule", "server", "collation", "aggregate",
	"operator", "publication", "subscription", "tablespace", "statistics",
}

// clause acts on a keyword inside a statement, and reports whether it is one.
func (s *summarizer) clause(word string) bool {
	f := s.top()
	switch word {
	case "from":
		// Not that of EXTRACT, SUBSTRING and TRIM, COPY … FROM or IS DISTINCT FROM.
		f.expect = (f.verb == "select" || f.verb == "delete" || f.verb == "update") && s.prev != "distinct" && !f.past
		f.list = f.expect
	case "join":
		f.expect, f.list = f.verb != "", false
	case "into":
		f.expect, f.list = f.verb == "insert" || f.verb == "replace" || f.verb == "merge", false
	case "using":
		f.expect = f.verb == "delete" || f.verb == "merge"
		f.list = f.expect
	case "union", "except", "intersect":
		*f = frame{start: true}
	case "as":
		f.start = f.verb == "create" || f.verb == "copy" || f.verb == "explain"
		f.expect = false
	case "where", "group", "having", "order", "limit", "window", "fetch", "for", "returning":
		f.expect, f.list, f.past = false, false, true
	case "on", "set", "values", "when", "default":
		f.expect, f.list = false, false
	case "all", "distinct":
		// SELECT DISTINCT, UNION ALL: what was awaited still is.
	case "select":
		return false
	default:
		return false
	}
	return true
}

// name takes a name, with its schema, if a target or a common table expression
// is named here.
func (s *summarizer) name(raw string, rest Lexer) {
	f := s.top()
	f.start = false
	switch {
	case f.naming:
		f.naming = raw == "" || strings.EqualFold(raw, "recursive")
		if !f.naming {
			if s.ctes == nil {
				s.ctes = map[string]struct{}{}
			}
			s.ctes[strings.ToLower(raw)] = struct{}{}
		}
		return
	case !f.expect:
		return
	}
	f.expect = false
	full := s.text[rest.pos-len(raw) : qualified(rest)]
	if _, isCTE := s.ctes[strings.ToLower(raw)]; isCTE && full == raw {
		return
	}
	s.write(full)
}

// qualified returns the end of a name whose first part was taken: behind its
// last part.
func qualified(rest Lexer) int {
	for rest.qualifies() {
		behind := rest
		behind.pos++
		next, ok := behind.Next()
		if !ok || next.Kind != Word && next.Kind != Name && next.Kind != Quoted {
			break
		}
		rest = behind
	}
	return rest.pos
}

// write appends a word, unless it would make the summary too long.
func (s *summarizer) write(word string) {
	if !utf8.ValidString(word) {
		word = strings.ToValidUTF8(word, "\uFFFD")
	}
	space := min(s.out.Len(), 1)
	if s.out.Len()+space+len(word) > maxSummary {
		s.full = true
		return
	}
	if space > 0 {
		s.out.WriteByte(' ')
	}
	s.out.WriteString(word)
}
