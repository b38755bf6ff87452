package sqltext

import "strings"

// places tells where SQLite's grammar allows nothing but a name, so that a text
// in double quotes is none of the strings that SQLite takes it for where no name
// fits.
type places struct {
	names bool // the dialect is SQLite

	depth   int
	clauses [32]clause // by depth; what is deeper has none
	queries [32]bool   // by depth: FROM names tables, and not what TRIM and its like take
	prev    string     // the last word, in lower case
	opens   bool       // a bracket that follows holds names of columns
	target  bool       // a table is named next, whose columns may follow
	alias   bool       // a name stood before: another is its alias
}

// clause is what the commas at a depth divide.
type clause uint8

const (
	values  clause = iota
	tables         // FROM a, b
	sets           // SET a = 1, b = 2
	columns        // INTO t (a, b)
)

func (p *places) clause() *clause {
	if p.depth < len(p.clauses) {
		return &p.clauses[p.depth]
	}
	deep := values
	return &deep
}

// word takes a word and reports whether a name follows.
func (p *places) word(raw string) bool {
	if !p.names {
		return false
	}
	p.opens, p.alias = false, false
	prev := p.prev
	p.prev = strings.ToLower(raw)
	switch p.prev {
	case "from":
		if prev == "distinct" || p.depth >= len(p.queries) || !p.queries[p.depth] { // IS DISTINCT FROM a value
			return false
		}
		*p.clause() = tables
		return true
	case "into", "table", "references":
		p.target = true
		return true
	case "update", "delete":
		p.query(true)
		return p.prev == "update"
	case "join", "exists", "as", "to", "index", "view", "trigger", "column", "add", "rename", "constraint", "with", "recursive":
		return true
	case "set":
		*p.clause() = sets
		return true
	case "using", "unique":
		p.opens = true
	case "key": // else it is a function, or what PRAGMA sets
		p.opens = prev == "primary" || prev == "foreign"
	case "union", "except", "intersect":
		p.query(false)
		*p.clause() = values
	case "where", "group", "order", "having", "limit", "returning", "values", "window":
		*p.clause() = values
	case "select":
		p.query(true)
		*p.clause() = values
	}
	return false
}

// query notes whether a query, or none, has begun at the depth.
func (p *places) query(begun bool) {
	if p.depth < len(p.queries) {
		p.queries[p.depth] = begun
	}
}

// behindName notes that a table, a column or an alias was named.
func (p *places) behindName() {
	if p.names {
		p.opens, p.target, p.alias = p.target, false, true
	}
}

// punct takes an operator or a bracket and reports whether a name follows.
func (p *places) punct(raw string) bool {
	if !p.names {
		return false
	}
	opens := p.opens
	p.opens, p.alias, p.prev = false, false, ""
	switch raw {
	case "(":
		p.depth++
		p.query(false)
		*p.clause() = values
		if opens {
			*p.clause() = columns
		}
		return opens
	case ")":
		p.depth = max(p.depth-1, 0)
	case ";":
		*p = places{names: true}
	case ",":
		return *p.clause() != values
	case ".":
		p.opens = opens
	}
	return false
}
