package postgres

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// folded is an INSERT of one row, rewritten for many.
type folded struct {
	text  string
	types []uint32 // of the columns
}

// folds keeps what became of texts: nil for one that can't be folded. It is
// safe for concurrent use.
type folds struct {
	mu    sync.Mutex
	known map[string]*folded
}

const maxFolds = 1024

func (f *folds) get(text string) (fd *folded, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fd, known = f.known[text]
	return fd, known
}

func (f *folds) put(text string, fd *folded) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= maxFolds {
		f.known = map[string]*folded{}
	}
	f.known[text] = fd
}

const (
	namePattern  = `(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)`
	namesPattern = namePattern + `(?:\s*,\s*` + namePattern + `)*`
)

// insertPattern is an INSERT of one row whose values are all parameters.
var insertPattern = regexp.MustCompile(`(?i)^\s*(INSERT\s+INTO\s+` + namePattern + `(?:\.` + namePattern + `)?\s*\(\s*` + namesPattern +
	`\s*\)\s*)VALUES\s*\(\s*(\$\d+(?:\s*,\s*\$\d+)*)\s*\)(\s*RETURNING\s+(?:` + namesPattern + `|\*)|)\s*$`)

// takeApart returns what stands before and behind VALUES and how many values
// there are, if the text is an INSERT that can be folded.
func takeApart(text string) (head, tail string, values int, ok bool) {
	m := insertPattern.FindStringSubmatch(text)
	if m == nil {
		return "", "", 0, false
	}
	params := strings.Split(m[2], ",")
	for i, p := range params {
		if strings.TrimSpace(p) != fmt.Sprintf("$%d", i+1) {
			return "", "", 0, false
		}
	}
	return m[1], m[3], len(params), true
}

// fold writes an INSERT for arrays. The rows are sorted before keys and defaults
// are made, so that these follow the order of the arrays, and so do the rows
// that come back.
func fold(head, tail string, types []uint32) (*folded, bool) {
	arrays, names := make([]string, len(types)), make([]string, len(types))
	for i, oid := range types {
		name, known := arrayTypes[oid]
		if !known {
			return nil, false
		}
		arrays[i], names[i] = fmt.Sprintf("$%d::pg_catalog.%s[]", i+1, name), fmt.Sprintf("c%d", i+1)
	}
	columns := strings.Join(names, ", ")
	text := fmt.Sprintf("%sSELECT %s FROM unnest(%s) WITH ORDINALITY AS v (%[2]s, n) ORDER BY n%[4]s", head, columns, strings.Join(arrays, ", "), tail)
	return &folded{text, types}, true
}

// arrayTypes are the types of columns whose values are folded. Those of a domain
// or an enumeration are not among them, nor arrays, which unnest would flatten.
var arrayTypes = map[uint32]string{
	pgtype.BoolOID: "bool", pgtype.Int2OID: "int2", pgtype.Int4OID: "int4", pgtype.Int8OID: "int8",
	pgtype.Float4OID: "float4", pgtype.Float8OID: "float8",
	pgtype.TextOID: "text", pgtype.VarcharOID: "varchar", pgtype.BPCharOID: "bpchar", pgtype.ByteaOID: "bytea",
	pgtype.DateOID: "date", pgtype.TimestampOID: "timestamp", pgtype.TimestamptzOID: "timestamptz",
	pgtype.UUIDOID: "uuid", pgtype.JSONOID: "json", pgtype.JSONBOID: "jsonb",
}

// fits reports whether pgx writes a value as an element of an array, and as
// what it is by itself: it takes more for a parameter than for an element.
func fits(oid uint32, v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return oid == pgtype.BoolOID
	case int64:
		return oid == pgtype.Int8OID || oid == pgtype.Int4OID && v == int64(int32(v)) || oid == pgtype.Int2OID && v == int64(int16(v)) //nolint:gosec // the test
	case float64:
		return oid == pgtype.Float4OID || oid == pgtype.Float8OID
	case string:
		return oid == pgtype.TextOID || oid == pgtype.VarcharOID || oid == pgtype.BPCharOID || oid == pgtype.JSONOID || oid == pgtype.JSONBOID
	case []byte:
		return oid == pgtype.ByteaOID
	case [16]byte:
		return oid == pgtype.UUIDOID
	case time.Time:
		return oid == pgtype.DateOID || oid == pgtype.TimestampOID || oid == pgtype.TimestamptzOID
	}
	return false
}
