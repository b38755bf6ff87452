package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// changing is a parsed UPDATE or DELETE whose rows are found by comparing
// columns with parameters.
type changing struct {
	table string
	sets  []string // the columns that are assigned; none of a DELETE
	where []string // those that find the rows
	// keys are the argument positions of those of them that are not assigned:
	// if no two statements have equal arguments there, none sees what another
	// has done.
	keys []int
}

const equalPattern = namePattern + `\s*=\s*\$[0-9]+`

var (
	updatePattern = regexp.MustCompile(`(?i)^\s*UPDATE\s+(` + tablePattern + `)\s+SET\s+(` + equalPattern + `(?:\s*,\s*` + equalPattern + `)*)`)
	deletePattern = regexp.MustCompile(`(?i)^\s*DELETE\s+FROM\s+(` + tablePattern + `)`)
	wherePattern  = regexp.MustCompile(`(?i)^\s+WHERE\s+(` + equalPattern + `(?:\s+AND\s+` + equalPattern + `)*)\s*$`)
	equalsPattern = regexp.MustCompile(`(` + namePattern + `)\s*=\s*\$([0-9]+)`)
)

// takeChangeApart parses an UPDATE or DELETE that compares and assigns columns
// with parameters, in their order; nil for any other text.
func takeChangeApart(text string) *folded {
	c := &changing{}
	head := updatePattern.FindStringSubmatch(text)
	if head == nil {
		head = append(deletePattern.FindStringSubmatch(text), "")
	}
	if len(head) < 3 {
		return nil
	}
	where := wherePattern.FindStringSubmatch(text[len(head[0]):])
	if where == nil {
		return nil
	}
	c.table = head[1]
	values := 0
	for _, part := range []struct {
		text string
		into *[]string
	}{{head[2], &c.sets}, {where[1], &c.where}} {
		for _, m := range equalsPattern.FindAllStringSubmatch(part.text, -1) {
			if values++; m[2] != strconv.Itoa(values) {
				return nil
			}
			*part.into = append(*part.into, m[1])
		}
	}
	assigned := map[string]bool{}
	for _, column := range c.sets {
		assigned[bareName(column)] = true
	}
	for i, column := range c.where {
		if !assigned[bareName(column)] {
			c.keys = append(c.keys, len(c.sets)+i)
		}
	}
	if len(c.keys) == 0 || len(c.keys) > len(keyTuple{}) {
		return nil
	}
	return &folded{values: values, rows: 1, change: c}
}

// bareName returns a name as the server stores it, for comparisons.
func bareName(name string) string {
	if inner, quoted := strings.CutPrefix(name, `"`); quoted {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return strings.ToLower(name)
}

// typed returns the statement for arrays of these types. It locks the rows in
// the order of the arguments, as the single statements would, and reports which
// of them found a row.
func (c *changing) typed(arrays, names []string) string {
	verb, lock, sets := "DELETE FROM "+c.table+" AS t USING ", "UPDATE", make([]string, len(c.sets))
	for i, column := range c.sets {
		sets[i] = column + " = v." + names[i]
	}
	if len(sets) > 0 {
		verb, lock = "UPDATE "+c.table+" AS t SET "+strings.Join(sets, ", ")+" FROM ", "NO KEY UPDATE"
	}
	found := func(alias string) string {
		parts := make([]string, len(c.where))
		for i, column := range c.where {
			parts[i] = alias + "." + column + " = v." + names[len(c.sets)+i]
		}
		return strings.Join(parts, " AND ")
	}
	return fmt.Sprintf("%s(SELECT v.* FROM unnest(%s) WITH ORDINALITY AS v (%s, n) JOIN %s AS l ON %s ORDER BY v.n FOR %s OF l) AS v WHERE %s RETURNING v.n",
		verb, strings.Join(arrays, ", "), strings.Join(names, ", "), c.table, found("l"), lock, found("t"))
}

// keyTypes are the types whose values are equal if Go says so.
var keyTypes = map[uint32]bool{
	pgtype.Int2OID: true, pgtype.Int4OID: true, pgtype.Int8OID: true, pgtype.TextOID: true, pgtype.VarcharOID: true, pgtype.UUIDOID: true,
}

// keyed reports whether the keys have such types.
func (c *changing) keyed(types []uint32) bool {
	return !slices.ContainsFunc(c.keys, func(i int) bool { return !keyTypes[types[i]] })
}

// keyTuple holds the keys of a statement.
type keyTuple [4]any

// distinct reports whether no two statements have the same keys.
func (c *changing) distinct(qs []backend.BoundStatement) bool {
	if len(c.keys) == 1 && ascending(qs, c.keys[0]) {
		return true
	}
	seen := make(map[keyTuple]bool, len(qs))
	for _, q := range qs {
		var keys keyTuple
		for k, i := range c.keys {
			keys[k] = q.Args[i]
			if n, null, ok := integer(keys[k]); ok && !null {
				keys[k] = n
			} else if s, ok := keys[k].(*string); ok && s != nil {
				keys[k] = *s
			}
		}
		if seen[keys] {
			return false
		}
		seen[keys] = true
	}
	return true
}

// ascending reports whether an argument is an integer that grows from statement
// to statement.
func ascending(qs []backend.BoundStatement, arg int) bool {
	var last int64
	for i, q := range qs {
		n, ok := q.Args[arg].(int64)
		if !ok {
			var null bool
			n, null, ok = integer(q.Args[arg])
			ok = ok && !null
		}
		if !ok || i > 0 && n <= last {
			return false
		}
		last = n
	}
	return true
}

// errMissed is the error of folded changes one of which found no row: the
// original statements then report how many rows each finds.
var errMissed = errors.New("the statement has not found all rows")

// changesOf returns the results of the n statements that a folded one replaces.
// The folded one returns the positions, from 1, of those that found a row.
func changesOf(results pgx.BatchResults, n int) ([]backend.Result, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	outs := make([]backend.Result, n)
	for rows.Next() {
		var place int64
		if err := rows.Scan(&place); err != nil {
			return nil, err
		}
		outs[place-1].Affected++
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(outs, func(o backend.Result) bool { return o.Affected == 0 }) {
		return nil, errMissed
	}
	return outs, nil
}
