package query

import (
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Tuple is a query whose rows are expressions and objects of several tables.
type Tuple struct {
	Select
	// Table is that of the query.
	Table *mapping.Table
	// Items are what is selected.
	Items []term.Node
	// Group are the expressions by whose values rows are grouped.
	Group []term.Node
	// Having are conditions about groups.
	Having []Condition
	// Distinct says that equal rows are returned once.
	Distinct bool
	// Populate says that objects the session has get the values of their rows.
	Populate bool
	// Loose says that objects are not the session's.
	Loose bool
}

// Render implements [engine.Statement].
func (q *Tuple) Render(d *engine.Dialect) (text string, args []any, err error) {
	return q.statement(d, q.Table, q.form())
}

// Sub is the query inside another one.
func (q *Tuple) Sub() *term.Sub {
	return &term.Sub{Body: func(w *term.Writer) { q.write(w, q.Table, q.form()) }}
}

func (q *Tuple) form() form { return form{items: q.items, group: q.group, whole: true, plain: true} }

func (q *Tuple) items(w *term.Writer) {
	if q.Distinct {
		w.Raw("DISTINCT ")
	}
	for i, n := range q.Items {
		if i > 0 {
			w.Raw(", ")
		}
		w.Node(n)
	}
}

func (q *Tuple) group(w *term.Writer) {
	word := " GROUP BY "
	for _, n := range q.Group {
		w.Raw(word)
		w.Node(n)
		word = ", "
	}
	conditions(w, " HAVING ", q.Having, q.reservedNames(q.Table))
}
