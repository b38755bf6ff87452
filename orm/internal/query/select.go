// Package query writes SELECT for the objects of a table.
package query

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Select is what a query says, whatever the type of its objects. Its zero
// value selects all rows.
type Select struct {
	// Where are conditions that all have to hold.
	Where []Condition
	// Joins are the tables that take part besides the query's own.
	Joins []Join
	// Fill are the relations that the rows fill: joins whose Path or Field is set.
	Fill []Join
	// Order is what stands after ORDER BY.
	Order []Order
	// Limit is how many rows there are at most, if Limited says so.
	Limit int
	// Limited says that there is a limit.
	Limited bool
	// Offset is how many rows are left out at the start.
	Offset int
	// Lock is how rows are locked.
	Lock Lock
	// Row is the struct whose fields stand for the table's columns; nil for
	// [mapping.Table.Row].
	Row memory.Pointer
	// Alias is the table's name in the query; empty for its own.
	Alias string
	// Wrong is what the program got wrong in making the query.
	Wrong error
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
	return q.statement(d, t, form{whole: true})
}

// Count is how many rows there are, whatever limit and offset say.
func (q Select) Count(d *engine.Dialect, t *mapping.Table) (engine.Statement, error) {
	text, args, err := q.statement(d, t, form{list: "count(*)"})
	return &dml.Bound{Text: text, Args: args}, err
}

// Exists is 1 if there is any row, and otherwise 0.
func (q Select) Exists(d *engine.Dialect, t *mapping.Table) (engine.Statement, error) {
	text, args, err := q.statement(d, t, form{head: "SELECT count(*) FROM (", list: "1", tail: " LIMIT 1) found"})
	return &dml.Bound{Text: text, Args: args}, err
}

// Inner is the query inside another one that asks whether there are rows.
func (q Select) Inner(t *mapping.Table) *term.Sub {
	return &term.Sub{Body: func(w *term.Writer) { q.write(w, t, form{list: "1", whole: true, plain: true}) }}
}

// Bulk is a statement about the rows that the conditions find: head is what
// stands before the table's name, parts what comes between that and the
// conditions, tail what stands behind them.
func (q Select) Bulk(d *engine.Dialect, t *mapping.Table, head, tail string, parts ...engine.Statement) (engine.Statement, error) {
	if len(q.Joins) > 0 || len(q.Order) > 0 || q.Limited || q.Offset > 0 || q.Alias != "" {
		return nil, fmt.Errorf("orm: %s%s: a query with joins, order or bounds changes no rows: put them into a condition", head, t.FullName())
	}
	if q.Wrong != nil {
		return nil, q.Wrong
	}
	w := term.Writing(d)
	w.Open(q.row(d, t))
	w.Raw(head, dml.For(d, t).Name)
	for _, p := range parts {
		w.Text(p)
	}
	q.where(w, t)
	w.Raw(tail)
	text, args, err := w.Done()
	return &dml.Bound{Text: text, Args: args}, err
}

// Keys is the keys of the rows, which it locks where the database can.
func (q Select) Keys(d *engine.Dialect, t *mapping.Table) (engine.Statement, error) {
	q.Lock = ForUpdate
	text, args, err := q.statement(d, t, form{list: dml.For(d, t).Named(dml.IndicesOf(t.Key)), whole: true})
	return &dml.Bound{Text: text, Args: args}, err
}

// form is what is made of a query.
type form struct {
	head, tail string
	list       string               // what is selected; empty for the table's columns
	items      func(w *term.Writer) // the same, if it is more than a text
	group      func(w *term.Writer) // what stands behind the conditions
	whole      bool                 // with order, bounds and lock
	plain      bool                 // a row for each match of what is joined
}

// statement writes the query.
func (q Select) statement(d *engine.Dialect, t *mapping.Table, f form) (text string, args []any, err error) {
	w := term.Writing(d)
	w.Raw(f.head)
	q.write(w, t, f)
	w.Raw(f.tail)
	return w.Done()
}

// row is that of the query's own table.
func (q Select) row(d *engine.Dialect, t *mapping.Table) term.Row {
	r := term.RowOf(d, t)
	if q.Row != nil {
		r.Base = q.Row
	}
	if q.Alias != "" {
		r.Name = d.QuoteName(q.Alias)
	}
	return r
}

// write appends the query to a statement, in which it may be inside another one.
func (q Select) write(w *term.Writer, t *mapping.Table, f form) {
	if q.Wrong != nil {
		w.Fail(q.Wrong)
		return
	}
	d, own := w.Dialect(), q.row(w.Dialect(), t)
	j, err := joinsOf(d, own, q.Joins)
	if err != nil {
		w.Fail(err)
		return
	}
	rows := j.rows
	if rows == nil {
		rows = []term.Row{own}
	}
	defer w.Open(rows...)()
	w.Raw("SELECT ")
	switch {
	case f.items != nil:
		f.items(w)
	case f.list != "":
		w.Raw(f.list)
	default:
		w.Columns(&own)
	}
	from := " FROM " + q.from(own)
	w.Raw(from)
	once := j.many && !f.plain // the rows that match are counted once
	if once {
		w.Raw(" WHERE (", j.key(), ") IN (SELECT ", j.key(), from)
	}
	j.write(w)
	q.where(w, t)
	if once {
		w.Raw(" )")
	}
	if f.group != nil {
		f.group(w)
	}
	if f.whole {
		q.orders(w, " ORDER BY ", own)
		q.tail(w, own)
	}
}

// from is the query's own table.
func (q Select) from(own term.Row) string {
	if q.Alias != "" {
		return own.Table.Name + " AS " + own.Name
	}
	return own.Table.Name
}

// where is WHERE.
func (q Select) where(w *term.Writer, t *mapping.Table) {
	conditions(w, " WHERE ", q.Where, q.reservedNames(t))
}

// conditions writes conditions behind a word.
func conditions(w *term.Writer, word string, of []Condition, names map[string]bool) {
	for _, c := range of {
		w.Raw(word)
		word = " AND "
		if c.Term != nil {
			w.Nested(c.Term)
			continue
		}
		w.Raw("(")
		w.Text(engine.Text(quoteNames(w.Dialect(), c.Text, names), c.Args...))
		w.Raw(")")
	}
}

// orders is ORDER BY.
func (q Select) orders(w *term.Writer, word string, own term.Row) {
	for _, o := range q.Order {
		w.Raw(word)
		word = ", "
		if o.Term != nil {
			w.Node(o.Term)
		} else {
			w.Raw(quoteNames(w.Dialect(), o.Text, q.reservedNames(own.Table.Table)))
		}
	}
}

// tail appends bounds and lock.
func (q Select) tail(w *term.Writer, own term.Row) {
	d := w.Dialect()
	if bounds := q.bounds(d); bounds != "" {
		w.Raw(" ", bounds)
	}
	locking, err := q.locking(d, own.Name)
	if err != nil {
		w.Fail(err)
	}
	if locking != "" {
		w.Raw(" ", locking)
	}
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

func (q Select) locking(d *engine.Dialect, own string) (string, error) {
	text := "FOR UPDATE"
	if len(q.Joins)+len(q.Fill) > 0 && d.NativeScan { // not what was joined, which PostgreSQL may refuse to lock
		text += " OF " + own
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
