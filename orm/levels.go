package orm

import (
	"slices"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// transaction is the database's side of the session's transaction; the journals
// record what has to be undone in the objects.
type transaction struct {
	conn     *engine.Conn // while it has reached the database
	external bool         // the connection and its transaction are the caller's
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

// innermost returns the current level of a transaction that has begun.
func (t *transaction) innermost() *level { return &t.levels[len(t.levels)-1] }

// journal returns the current journal; nil without a transaction.
func (t *transaction) journal() *identity.Journal {
	if !t.begun() {
		return nil
	}
	return t.innermost().journal
}

// find returns the index of a journal's level, or -1.
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

// mergeTo ends the levels from n on and merges the journal of each savepoint
// into that of the level around it.
func (t *transaction) mergeTo(n int) {
	for len(t.levels) > n {
		if j := t.innermost().journal; len(t.levels) > 1 {
			j.Merge()
		}
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// undoTo undoes the changes of the levels from n on in the objects.
func (t *transaction) undoTo(n int, o *identity.Map, all bool) {
	for len(t.levels) > n {
		t.innermost().journal.Undo(o, all)
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// cleanup bounds work that must be done although the caller's context has
// ended.
const cleanup = 5 * time.Second
