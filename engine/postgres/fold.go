package postgres

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

// folded is a parsed INSERT, UPDATE or DELETE, which can be rewritten for many
// rows.
type folded struct {
	change     *changing // nil of an INSERT
	head, tail string    // of an INSERT: what stands before and behind VALUES
	values     int       // of a row
	rows       int       // that the text inserts
	types      []uint32
	text       string // with arrays; empty until the types are known
}

// folds caches the parsed statement of each SQL text: nil for one that can't be
// folded. It is safe for concurrent use.
type folds struct {
	mu    sync.Mutex
	known map[string]*folded
}

const maxFolds = 1024

// get returns the parsed statement of a SQL text.
func (f *folds) get(text string) *folded {
	f.mu.Lock()
	defer f.mu.Unlock()
	fd, known := f.known[text]
	if !known {
		fd = takeApart(text)
		f.keep(text, fd)
	}
	return fd
}

func (f *folds) put(text string, fd *folded) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keep(text, fd)
}

func (f *folds) keep(text string, fd *folded) {
	if f.known == nil || len(f.known) >= maxFolds {
		f.known = map[string]*folded{}
	}
	f.known[text] = fd
}

const (
	namePattern  = `(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)`
	tablePattern = namePattern + `(?:\.` + namePattern + `)?`
	namesPattern = namePattern + `(?:\s*,\s*` + namePattern + `)*`
)

var (
	headPattern = regexp.MustCompile(`(?i)^\s*INSERT\s+INTO\s+` + tablePattern + `\s*\(\s*` + namesPattern + `\s*\)\s*VALUES\s*`)
	tailPattern = regexp.MustCompile(`(?i)^\s*(?:RETURNING\s+(?:` + namesPattern + `|\*)\s*)?$`)
	verbPattern = regexp.MustCompile(`(?i)VALUES\s*$`)
)

// takeApart parses an INSERT whose values are all parameters, in their order,
// or a similar UPDATE or DELETE; nil for any other text.
func takeApart(text string) *folded {
	head := headPattern.FindString(text)
	if head == "" {
		return takeChangeApart(text)
	}
	fd := &folded{head: head[:verbPattern.FindStringIndex(head)[0]]}
	rest, params := text[len(head):], 0
	for more := true; more; fd.rows++ {
		n, behind, ok := tuple(rest, params)
		if !ok || fd.rows > 0 && n != fd.values {
			return nil
		}
		fd.values, params = n, params+n
		rest, more = strings.CutPrefix(strings.TrimLeft(behind, " "), ",")
	}
	if !tailPattern.MatchString(rest) {
		return nil
	}
	fd.tail = rest
	return fd
}

// tuple reads "($3, $4)" if two parameters came before, and returns how many
// there are and what follows.
func tuple(text string, before int) (n int, behind string, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " "), "(")
	for ok {
		n++
		if rest, ok = strings.CutPrefix(rest, "$"+strconv.Itoa(before+n)); !ok {
			break
		}
		if behind, end := strings.CutPrefix(rest, ")"); end {
			return n, behind, true
		}
		rest, ok = strings.CutPrefix(rest, ",")
		rest = strings.TrimLeft(rest, " ")
	}
	return 0, "", false
}

// typed returns the statement for arrays of these types; nil if one of them
// can't be folded. The rows of an INSERT are sorted before keys and defaults
// are generated, so that these follow the order of the arrays, and so do the
// returned rows.
func (f *folded) typed(types []uint32) *folded {
	arrays, names := make([]string, len(types)), make([]string, len(types))
	for i, oid := range types {
		name, known := arrayTypes[oid]
		if !known {
			return nil
		}
		arrays[i], names[i] = fmt.Sprintf("$%d::pg_catalog.%s[]", i+1, name), fmt.Sprintf("c%d", i+1)
	}
	out := *f
	out.types = types
	if c := f.change; c != nil {
		if !c.keyed(types) {
			return nil
		}
		out.text = c.typed(arrays, names)
		return &out
	}
	columns := strings.Join(names, ", ")
	out.text = fmt.Sprintf("%sSELECT %s FROM unnest(%s) WITH ORDINALITY AS v (%[2]s, n) ORDER BY n %[4]s", f.head, columns, strings.Join(arrays, ", "), f.tail)
	return &out
}

// arrayTypes are the types of columns that can be folded. Domains and
// enumerations are not among them, nor arrays, which unnest would flatten.
var arrayTypes = map[uint32]string{
	pgtype.BoolOID: "bool", pgtype.Int2OID: "int2", pgtype.Int4OID: "int4", pgtype.Int8OID: "int8",
	pgtype.Float4OID: "float4", pgtype.Float8OID: "float8",
	pgtype.TextOID: "text", pgtype.VarcharOID: "varchar", pgtype.BPCharOID: "bpchar", pgtype.ByteaOID: "bytea",
	pgtype.DateOID: "date", pgtype.TimestampOID: "timestamp", pgtype.TimestamptzOID: "timestamptz",
	pgtype.UUIDOID: "uuid", pgtype.JSONOID: "json", pgtype.JSONBOID: "jsonb",
}
