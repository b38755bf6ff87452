package orm

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// selection is what a query says, whatever the type of its objects. Its zero
// value selects all rows.
type selection struct {
	// where are conditions that all have to hold.
	where []engine.Statement
	// joins are the relations whose tables take part.
	joins []join
	// order is what stands after ORDER BY.
	order string
	// limit is how many rows there are at most, if limited says so.
	limit   int
	limited bool
	// offset is how many rows are left out at the start.
	offset int
	// lock is how rows are locked.
	lock lock
}

// lock is how rows are locked.
type lock uint8

const (
	noLock lock = iota
	forUpdate
	forUpdateNoWait
	forUpdateSkipLocked
)

// render returns the text and the arguments of the query for rows of a table.
func (q selection) render(d *engine.Dialect, t *mapping.Table) (text string, args []any, err error) {
	x := textsOf(d, t)
	list := x.list
	if len(q.joins) > 0 {
		list = x.qualifiedList()
	}
	return q.around(d, t, "SELECT "+list+" FROM ", "", true)
}

// count is how many rows there are, whatever limit and offset say.
func (q selection) count(d *engine.Dialect, t *mapping.Table) (engine.Statement, error) {
	text, args, err := q.around(d, t, "SELECT count(*) FROM ", "", false)
	return &statement{text: text, args: args}, err
}

// exists is 1 if there is any row, and otherwise 0.
func (q selection) exists(d *engine.Dialect, t *mapping.Table) (engine.Statement, error) {
	text, args, err := q.around(d, t, "SELECT count(*) FROM (SELECT 1 FROM ", " LIMIT 1) found", false)
	return &statement{text: text, args: args}, err
}

// bulk is a statement about the rows that the conditions find: head is what
// stands before the table's name, parts what comes between that and the
// conditions.
func (q selection) bulk(d *engine.Dialect, t *mapping.Table, head string, parts ...engine.Statement) (engine.Statement, error) {
	if len(q.joins) > 0 || q.order != "" || q.limited || q.offset > 0 {
		return nil, fmt.Errorf("orm: %s%s: a query with joins, order or bounds changes no rows: put them into a condition", head, t.FullName())
	}
	parts = append([]engine.Statement{raw(head + textsOf(d, t).name)}, parts...)
	return engine.Concat(append(parts, q.conditions()...)...), nil
}

// around writes the query between a head and a tail; whole says with order,
// bounds and lock.
func (q selection) around(d *engine.Dialect, t *mapping.Table, head, tail string, whole bool) (text string, args []any, err error) {
	x := textsOf(d, t)
	j, err := joinsOf(d, t, q.joins)
	if err != nil {
		return "", nil, err
	}
	parts := []engine.Statement{raw(head + x.name + j.text.String())}
	if j.many { // the rows that match are counted once
		parts = []engine.Statement{raw(head + x.name + " WHERE (" + j.key() + ") IN (SELECT " + j.key() + " FROM " + x.name + j.text.String())}
	}
	parts = append(parts, q.conditions()...)
	if j.many {
		parts = append(parts, raw(")"))
	}
	if whole {
		if parts, err = q.tail(d, x, parts); err != nil {
			return "", nil, err
		}
	}
	text, args, err = engine.Concat(parts...).Render(d)
	return text + tail, args, err
}

// conditions is WHERE.
func (q selection) conditions() (parts []engine.Statement) {
	for i, w := range q.where {
		word := raw("AND (")
		if i == 0 {
			word = raw("WHERE (")
		}
		parts = append(parts, word, w, raw(")"))
	}
	return parts
}

// tail appends order, bounds and lock.
func (q selection) tail(d *engine.Dialect, x *texts, parts []engine.Statement) ([]engine.Statement, error) {
	if q.order != "" {
		parts = append(parts, raw("ORDER BY "+q.order))
	}
	if bounds := q.bounds(d); bounds != "" {
		parts = append(parts, raw(bounds))
	}
	locking, err := q.locking(d, x)
	if err != nil || locking == "" {
		return parts, err
	}
	return append(parts, raw(locking)), nil
}

// bounds is LIMIT and OFFSET. Only PostgreSQL has an OFFSET alone.
func (q selection) bounds(d *engine.Dialect) (text string) {
	switch {
	case q.limited:
		text = "LIMIT " + strconv.Itoa(q.limit)
	case q.offset > 0 && d.Features.Upsert == engine.UpsertOnDuplicateKey:
		text = "LIMIT 18446744073709551615" // as MySQL's manual has it
	case q.offset > 0 && d.Placeholder == engine.Question:
		text = "LIMIT -1"
	}
	if q.offset > 0 {
		if text != "" {
			text += " "
		}
		text += "OFFSET " + strconv.Itoa(q.offset)
	}
	return text
}

func (q selection) locking(d *engine.Dialect, x *texts) (string, error) {
	text := "FOR UPDATE"
	if len(q.joins) > 0 && d.NativeScan { // not what was joined, which PostgreSQL may refuse to lock
		text += " OF " + x.name
	}
	switch {
	case q.lock == noLock, !d.Features.ForUpdate:
		return "", nil
	case q.lock == forUpdateNoWait:
		return text + " NOWAIT", nil
	case q.lock == forUpdateSkipLocked && !d.Features.SkipLocked:
		return "", fmt.Errorf("orm: select: this version of %s does not know SKIP LOCKED: %w", d.System, errors.ErrUnsupported)
	case q.lock == forUpdateSkipLocked:
		return text + " SKIP LOCKED", nil
	default:
		return text, nil
	}
}
