package orm

import (
	"context"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// keep says that the session's transaction is ended by another.
type keep struct {
	broken bool // a method would have undone the transaction
}

// Keep makes the transaction of a session one that is ended by the caller alone,
// as a function that is handed the session must not end it: until release is
// called, Commit, Rollback, Close, Reset and Invalidate fail with an error that
// matches [engine.ErrTransactionManaged], and do nothing. Savepoints are the
// session's own as ever. release reports whether such a method but Commit was
// called: then the transaction holds what somebody believes undone, and must not
// be committed.
func Keep(s *Session) (release func() (broken bool)) {
	k := &keep{}
	s.kept = k
	return func() bool {
		s.kept = nil
		return k.broken
	}
}

// ends lets a method pass that ends the transaction, or refuses it.
func (s *Session) ends(method string, undoes bool) error {
	if s.kept == nil {
		return nil
	}
	s.kept.broken = s.kept.broken || undoes
	return fmt.Errorf("orm: %s: %w", method, engine.ErrTransactionManaged)
}

// refused is a method that fails with err.
func refused(s *Session, op sp.Op, err error) *Task[Nothing] {
	return &Task[Nothing]{s: s, op: op, plan: func(context.Context) error { return err }}
}
