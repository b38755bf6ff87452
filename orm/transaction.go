package orm

import (
	"context"
	"fmt"
	"time"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// transaction is the session's transaction, or a savepoint in it, and what
// rolling it back has to undo among the objects.
type transaction struct {
	outer *transaction
	since int        // how many objects the session had had when it began
	tx    *engine.Tx // the savepoint; nil: the transaction itself

	added   []*state        // became pending or persistent in it, unless they say otherwise
	deleted map[*state]bool // became deleted in it
	// modified are those that were flushed in it, or read again in a savepoint,
	// with the row before the first flush if its key or version was changed.
	modified map[*state]unsafe.Pointer
	keys     map[*state]identity // the keys of those that got another one
}

func newTransaction(outer *transaction) *transaction {
	t := &transaction{outer: outer}
	t.clear()
	return t
}

// clear forgets what was done in the transaction.
func (t *transaction) clear() {
	for _, st := range t.added {
		st.in = nil
	}
	t.added, t.deleted = nil, map[*state]bool{}
	t.modified, t.keys = map[*state]unsafe.Pointer{}, map[*state]identity{}
}

// InTransaction reports whether a transaction has begun, also if nothing has
// reached the database yet.
func (s *Session) InTransaction() bool { return s.tx != nil }

// InNestedTransaction reports whether a savepoint is open.
func (s *Session) InNestedTransaction() bool { return s.tx != nil && s.tx.outer != nil }

// IsActive reports whether the session can be used: it can't after a flush has
// failed, until Rollback is called.
func (s *Session) IsActive() bool { return s.failed == nil }

// Transaction returns the transaction that is open, or nil.
func (s *Session) Transaction() *Transaction {
	if s.tx == nil {
		return nil
	}
	return &Transaction{session: s, tx: s.root()}
}

// NestedTransaction returns the innermost savepoint that is open, or nil.
func (s *Session) NestedTransaction() *Nested {
	if !s.InNestedTransaction() {
		return nil
	}
	return &Nested{session: s, tx: s.tx}
}

// root returns the transaction itself, or nil.
func (s *Session) root() *transaction {
	tx := s.tx
	for tx != nil && tx.outer != nil {
		tx = tx.outer
	}
	return tx
}

// Transaction is a transaction of a session.
type Transaction struct {
	session *Session
	tx      *transaction
}

// IsActive reports whether the transaction is open.
func (t *Transaction) IsActive() bool { return t.session.root() == t.tx }

// Commit is [Session.Commit]. After the end of the transaction it is an error
// that matches [engine.ErrTransactionClosed].
func (t *Transaction) Commit(ctx context.Context) error {
	if !t.IsActive() {
		return fmt.Errorf("orm: commit: %w", engine.ErrTransactionClosed)
	}
	return t.session.Commit(ctx)
}

// Rollback is [Session.Rollback]. After the end of the transaction it is an
// error that matches [engine.ErrTransactionClosed].
func (t *Transaction) Rollback(ctx context.Context) error {
	if !t.IsActive() {
		return fmt.Errorf("orm: rollback: %w", engine.ErrTransactionClosed)
	}
	return t.session.Rollback(ctx)
}

// Begin begins a transaction. If there is one, the error matches
// [engine.ErrTransactionBegun]. BEGIN reaches the database with the first
// statement.
func (s *Session) Begin(ctx context.Context) error {
	return s.run(ctx, sp.OpSessionBegin, func(context.Context) error {
		if s.tx != nil {
			return fmt.Errorf("orm: begin: %w", engine.ErrTransactionBegun)
		}
		s.tx = newTransaction(nil)
		return nil
	})
}

// begun makes sure that a transaction has begun, and that it can be used.
func (s *Session) begun() error {
	if s.failed != nil {
		return &pendingRollbackError{s.failed}
	}
	if s.tx != nil {
		return nil
	}
	if !s.cfg.autobegin {
		return ErrNoTransaction
	}
	s.tx = newTransaction(nil)
	return nil
}

// connect returns the connection of the transaction, taking one if there is
// none yet.
func (s *Session) connect(ctx context.Context) (*engine.Conn, error) {
	if s.conn == nil {
		conn, err := s.eng.Connect(ctx)
		if err != nil {
			return nil, err
		}
		s.conn = conn
	}
	return s.conn, nil
}

// Connection returns the connection of the session's transaction, which begins
// if there is none. It belongs to the session.
func (s *Session) Connection(ctx context.Context) (*engine.Conn, error) {
	return do(ctx, s.Tasks().Connection())
}

// Connection is [Session.Connection].
func (t Tasks) Connection() *Task[*engine.Conn] {
	return &Task[*engine.Conn]{
		s: t.s, op: sp.OpSessionConnection, barrier: true,
		plan: func(context.Context) error { return t.s.begun() },
		perform: func(ctx context.Context) error {
			_, err := t.s.connect(ctx)
			return err
		},
		apply: func(context.Context) (*engine.Conn, error) { return t.s.conn, nil },
	}
}

// add notes that an object became pending or persistent in the transaction.
func (t *transaction) add(st *state) {
	st.in = t
	t.added = append(t.added, st)
}

// touch notes that an object was flushed in the transaction. row is what its row
// was before, if its key or its version was changed.
func (t *transaction) touch(st *state, row unsafe.Pointer) {
	if t.modified[st] == nil {
		t.modified[st] = row
	}
}

// saw notes that an object, or one of its relations, was read or follows what
// was flushed: a savepoint's rollback may undo what it says, as it may with all
// that came into the session since.
func (s *Session) saw(st *state) {
	if s.tx != nil && s.tx.outer != nil {
		s.tx.touch(st, nil)
	}
}

// merge hands what a savepoint knows to the transaction around it.
func (t *transaction) merge() *transaction {
	outer := t.outer
	for _, st := range t.added {
		if st.in == t {
			outer.add(st)
		}
	}
	for st := range t.deleted {
		outer.deleted[st] = true
	}
	for st, row := range t.modified {
		outer.touch(st, row)
	}
	for st, id := range t.keys {
		if _, known := outer.keys[st]; !known {
			outer.keys[st] = id
		}
	}
	return outer
}

// cleanup bounds what has to be done when the caller's context is over.
const cleanup = 5 * time.Second

// release gives the connection back.
func (s *Session) release(ctx context.Context) error {
	conn := s.conn
	if conn == nil || s.guest {
		return nil
	}
	s.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	return conn.Close(ctx)
}
