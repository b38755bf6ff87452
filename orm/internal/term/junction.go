package term

import "github.com/sessionproxy/sessionproxy/engine"

// Junction is several conditions with a word between them.
type Junction struct {
	Word string      // AND or OR
	Of   []Condition // the conditions
}

func (j *Junction) condition() {}

func (j *Junction) write(w *Writer) {
	if len(j.Of) == 0 { // all of nothing is true, one of nothing is not
		w.Raw(map[bool]string{true: "1 = 1", false: "1 = 0"}[j.Word == "AND"])
		return
	}
	for i, c := range j.Of {
		if i > 0 {
			w.blank(j.Word)
		}
		w.Nested(c)
	}
}

// Not is the opposite of a condition; of NULL it is NULL.
type Not struct {
	Of Condition // the condition
}

func (n *Not) condition() {}

func (n *Not) write(w *Writer) {
	w.Raw("NOT (")
	w.Node(n.Of)
	w.Raw(")")
}

// Text is SQL text with its arguments, as [engine.Text] takes them.
type Text struct {
	Text string // the text
	Args []any  // the arguments
}

func (t *Text) condition() {}

func (t *Text) write(w *Writer) {
	w.Raw("(")
	w.Text(engine.Text(t.Text, t.Args...))
	w.Raw(")")
}

// Order is an expression by which rows are ordered.
type Order struct {
	Of    Node   // the expression
	Word  string // DESC, or nothing
	Nulls string // FIRST, LAST, or nothing for the database's own way
}

// Term implements [Operand].
func (o *Order) Term() Node { return o }

func (o *Order) write(w *Writer) {
	if o.Nulls != "" && w.isMySQL() { // which has no words for it
		w.Node(o.Of)
		w.Raw(map[bool]string{true: " IS NOT NULL, ", false: " IS NULL, "}[o.Nulls == "FIRST"])
	}
	w.Node(o.Of)
	w.Raw(o.Word)
	if o.Nulls != "" && !w.isMySQL() {
		w.Raw(" NULLS ", o.Nulls)
	}
}
