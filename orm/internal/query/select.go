// Package query writes SELECT for the objects of a table.
package query

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Select is what a query says, whatever the type of its objects. Its zero
// value selects all rows.
type Select struct {
	// Where are conditions that all have to hold.
	Where []Condition
	// Joins are the relations whose tables take part.
	Joins []Join
	// Order is what stands after ORDER BY.
	Order []Order
	// Wrong is what the program got wrong in making the query.
	Wrong error
	// Limit is how many rows there are at most, if Limited says so.
	Limit int
	// Limited says that there is a limit.
	Limited bool
	// Offset is how many rows are left out at the start.
	Offset int
	// Lock is how rows are locked.
	Lock Lock
}

// Condition is SQL text with its arguments, as [engine.Text] takes them, or a
// typed condition.
type Condition struct {
	Text string         // the text
	Args []any          // the arguments
	Term term.Condition // nil: a text
}

// Order is SQL text, or a typed expression, by which rows are ordered.
type Order struct {
	Text string    // the text
	Term term.Node // nil: a text
}

// Lock is how rows are locked.
type Lock uint8

const (
	// NoLock locks nothing.
	NoLock Lock = iota
	// ForUpdate waits for rows that others have locked.
	ForUpdate
	// ForUpdateNoWait makes an error of them.
	ForUpdateNoWait
	// ForUpdateSkipLocked leaves them out.
	ForUpdateSkipLocked
)

// Render returns the text and the arguments of the query for rows of a table.
func (q Select) Render(d *engine.Dialect, t *mapping.Table) (text string, args []any, err error) {
	x := dml.For(d, t)
	list := x.List
	if len(q.Joins) > 0 {
		list = x.QualifiedList()
	}
	return q.around(d, t, "SELECT "+list+" FROM ", "", true)
}

// Count is how many rows there are, whatever limit and offset say.
func (q Select) Count(d *engine.Dialect, t *mapping.Table) (engine.Statement, error) {
	text, args, err := q.around(d, t, "SELECT count(*) FROM ", "", false)
	return &dml.Bound{Text: text, Args: args}, err
}

// Exists is 1 if there is any row, and otherwise 0.
func (q Select) Exists(d *engine.Dialect, t *mapping.Table) (engine.Statement, error) {
	text, args, err := q.around(d, t, "SELECT count(*) FROM (SELECT 1 FROM ", " LIMIT 1) found", false)
	return &dml.Bound{Text: text, Args: args}, err
}

// Bulk is a statement about the rows that the conditions find: head is what
// stands before the table's name, parts what comes between that and the
// conditions.
func (q Select) Bulk(d *engine.Dialect, t *mapping.Table, head string, parts ...engine.Statement) (engine.Statement, error) {
	if len(q.Joins) > 0 || len(q.Order) > 0 || q.Limited || q.Offset > 0 {
		return nil, fmt.Errorf("orm: %s%s: a query with joins, order or bounds changes no rows: put them into a condition", head, t.FullName())
	}
	if q.Wrong != nil {
		return nil, q.Wrong
	}
	w := term.Writing(d, term.RowOf(d, t))
	w.Raw(head, dml.For(d, t).Name)
	for _, p := range parts {
		w.Text(p)
	}
	q.where(w, t)
	text, args, err := w.Done()
	return &dml.Bound{Text: text, Args: args}, err
}

// around writes the query between a head and a tail; whole says with order,
// bounds and lock.
func (q Select) around(d *engine.Dialect, t *mapping.Table, head, tail string, whole bool) (text string, args []any, err error) {
	x := dml.For(d, t)
	if q.Wrong != nil {
		return "", nil, q.Wrong
	}
	j, err := joinsOf(d, t, q.Joins)
	if err != nil {
		return "", nil, err
	}
	w := term.Writing(d, append([]term.Row{term.RowOf(d, t)}, j.rows...)...)
	w.Raw(head, x.Name)
	if j.many { // the rows that match are counted once
		w.Raw(" WHERE (", j.key(), ") IN (SELECT ", j.key(), " FROM ", x.Name)
	}
	w.Raw(j.text.String())
	q.where(w, t)
	if j.many {
		w.Raw(" )")
	}
	if whole {
		err = q.tail(w, d, x)
	}
	w.Raw(tail)
	text, args, wrong := w.Done()
	if err == nil {
		err = wrong
	}
	return text, args, err
}

// reservedNames are the names of the query's tables that can't be written as they
// are.
func (q Select) reservedNames(t *mapping.Table) (names map[string]bool) {
	note := func(name string) {
		if reserved[name] {
			if names == nil {
				names = map[string]bool{}
			}
			names[name] = true
		}
	}
	note(t.Name)
	for _, j := range q.Joins {
		for i := range j.Path + "." {
			if i == len(j.Path) || j.Path[i] == '.' {
				note(aliasOf(j.Path[:i]))
			}
		}
	}
	return names
}

// where is WHERE.
func (q Select) where(w *term.Writer, t *mapping.Table) {
	word := " WHERE "
	for _, c := range q.Where {
		w.Raw(word)
		word = " AND "
		if c.Term != nil {
			w.Nested(c.Term)
			continue
		}
		w.Raw("(")
		w.Text(engine.Text(quoteNames(w.Dialect(), c.Text, q.reservedNames(t)), c.Args...))
		w.Raw(")")
	}
}

// tail appends order, bounds and lock.
func (q Select) tail(w *term.Writer, d *engine.Dialect, x *dml.Statements) error {
	word := " ORDER BY "
	for _, o := range q.Order {
		w.Raw(word)
		word = ", "
		if o.Term != nil {
			w.Node(o.Term)
		} else {
			w.Raw(quoteNames(d, o.Text, q.reservedNames(x.Table)))
		}
	}
	if bounds := q.bounds(d); bounds != "" {
		w.Raw(" ", bounds)
	}
	locking, err := q.locking(d, x)
	if locking != "" {
		w.Raw(" ", locking)
	}
	return err
}

// bounds is LIMIT and OFFSET. Only PostgreSQL has an OFFSET alone.
func (q Select) bounds(d *engine.Dialect) (text string) {
	switch {
	case q.Limited:
		text = "LIMIT " + strconv.Itoa(q.Limit)
	case q.Offset > 0 && d.Features.Upsert == backend.UpsertOnDuplicateKey:
		text = "LIMIT 18446744073709551615" // as MySQL's manual has it
	case q.Offset > 0 && d.Placeholder == backend.Question:
		text = "LIMIT -1"
	}
	if q.Offset > 0 {
		if text != "" {
			text += " "
		}
		text += "OFFSET " + strconv.Itoa(q.Offset)
	}
	return text
}

func (q Select) locking(d *engine.Dialect, x *dml.Statements) (string, error) {
	text := "FOR UPDATE"
	if len(q.Joins) > 0 && d.NativeScan { // not what was joined, which PostgreSQL may refuse to lock
		text += " OF " + x.Name
	}
	switch {
	case q.Lock == NoLock, !d.Features.ForUpdate:
		return "", nil
	case q.Lock == ForUpdateNoWait:
		return text + " NOWAIT", nil
	case q.Lock == ForUpdateSkipLocked && !d.Features.SkipLocked:
		return "", fmt.Errorf("orm: select: this version of %s does not know SKIP LOCKED: %w", d.System, errors.ErrUnsupported)
	case q.Lock == ForUpdateSkipLocked:
		return text + " SKIP LOCKED", nil
	default:
		return text, nil
	}
}
