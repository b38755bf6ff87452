package orm

import (
	"slices"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// transaction is the database's side of the session's transaction; what is to be
// undone among the objects is in the journals.
type transaction struct {
	conn     *engine.Conn // while it has reached the database
	external bool         // the connection and its transaction are another's
	levels   []level      // the transaction and the savepoints in it, outermost first; none: it has not begun
	failed   error        // a flush has failed, and rolled back

	first [1]level // room for the transaction itself
}

// level is the transaction itself or a savepoint in it.
type level struct {
	savepoint *engine.Tx // nil: the transaction itself
	journal   *identity.Journal
}

// begun reports whether there is a transaction.
func (t *transaction) begun() bool { return len(t.levels) > 0 }

// innermost returns the level that is at work; it is one that has begun.
func (t *transaction) innermost() *level { return &t.levels[len(t.levels)-1] }

// journal returns the journal that is at work; nil without a transaction.
func (t *transaction) journal() *identity.Journal {
	if !t.begun() {
		return nil
	}
	return t.innermost().journal
}

// find returns where the level of a journal is, or -1.
func (t *transaction) find(j *identity.Journal) int {
	return slices.IndexFunc(t.levels, func(l level) bool { return l.journal == j })
}

// push begins a level.
func (t *transaction) push(savepoint *engine.Tx, o *identity.Map) *identity.Journal {
	j := identity.NewJournal(t.journal(), o)
	if !t.begun() {
		t.levels = t.first[:0]
	}
	t.levels = append(t.levels, level{savepoint, j})
	return j
}

// mergeTo hands what is known of the levels from n on to the one around them,
// but for the transaction itself.
func (t *transaction) mergeTo(n int) {
	for len(t.levels) > n {
		if j := t.innermost().journal; len(t.levels) > 1 {
			j.Merge()
		}
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// undoTo undoes the levels from n on among the objects.
func (t *transaction) undoTo(n int, o *identity.Map, all bool) {
	for len(t.levels) > n {
		t.innermost().journal.Undo(o, all)
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// cleanup bounds what has to be done when the caller's context is over.
const cleanup = 5 * time.Second
