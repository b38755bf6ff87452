package flush

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
)

// What a flush sends besides the INSERT, UPDATE and DELETE of each row.

// newPostUpdate plans the UPDATE that sets a foreign key which the INSERT leaves
// out.
func (p *Plan) newPostUpdate(e edge) *change {
	from := e.from
	c := &change{st: from.st, kind: postUpdate, sent: from.st.Table.Snapshot(from.sent), where: from.sent, rest: &rest{}}
	for _, col := range e.key.Local {
		c.filled = append(c.filled, col.Index)
		if w := from.waitsFor(col); w != nil {
			c.refs = append(c.refs, *w)
			from.refs = slices.DeleteFunc(from.refs, func(w dependency.Ref) bool { return w.Cols[0] == col })
		}
		col.SetZero(from.sent)
	}
	c.text = dml.For(p.dialect, c.st.Table).Set(c.filled)
	return c
}

// newNullBeforeDelete plans the UPDATE that makes a foreign key NULL.
func (p *Plan) newNullBeforeDelete(e edge) *change {
	c := &change{st: e.from.st, kind: nullBeforeDelete, sent: e.from.st.Table.Snapshot(e.from.where), where: e.from.where, rest: &rest{}}
	for _, col := range e.key.Local {
		c.filled = append(c.filled, col.Index)
		col.SetZero(c.sent)
	}
	c.text = dml.For(p.dialect, c.st.Table).Set(c.filled)
	return c
}

// newPair plans the INSERT or DELETE of a row between two others; of all rows
// of the one if there is no other.
func (p *Plan) newPair(kind Kind, l dependency.Pair) *change {
	c := &change{st: l.One, kind: kind, rest: &rest{pair: l}}
	if kind == insertAssociation {
		c.text = dml.InsertAssociation(p.dialect, l.Relation, !l.Known())
	} else {
		c.text = dml.DeleteAssociation(p.dialect, l.Relation, l.Other == nil)
	}
	return c
}
