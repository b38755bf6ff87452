// Package event defines the events of a session: its transactions and flushes.
// See orm.Session.Listen; the hooks of single objects are in package orm.
//
//	s.Listen(event.Listener[*orm.Session]{
//		AfterBegin: func(ctx context.Context, conn *engine.Conn) error {
//			_, err := conn.Execute(ctx, engine.Text("SELECT set_config('app.user', ?, true)", user))
//			return err
//		},
//		AfterFlush: func(ctx context.Context, s *orm.Session, done event.Flushed) error {
//			return audit(ctx, s, done.Inserted, done.Updated, done.Deleted)
//		},
//		AfterCommit: func(ctx context.Context) { notify() },
//	})
package event

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
)

// Listener holds functions that a session calls at its events; nil ones are
// skipped. S is *orm.Session: functions use the session that they are given,
// which is the one below an async session. All but AfterBegin are called while
// the session's owner does nothing else with it.
//
// A session in an external transaction (orm.NewSessionIn, proxy.Maker.Run) has
// no events but those of flushes.
type Listener[S any] struct {
	// AfterBegin is called when the transaction has a connection, before its
	// first statement, so that what it sends comes first. It may use the
	// connection, but not the session: an async session calls it on the
	// goroutine of its operations. An error fails the method that needed the
	// connection.
	AfterBegin func(ctx context.Context, conn *engine.Conn) error
	// BeforeFlush is called before a flush that has something to send, or that
	// follows changes of relations. It may change, add and delete objects, and
	// read through the session; the flush includes the changes. An error fails
	// the flush before anything is sent.
	BeforeFlush func(ctx context.Context, s S) error
	// AfterFlush is called after the changes were sent, with the objects whose
	// rows they changed. It may read through the session, and change objects for
	// the next flush: Commit flushes until there are no changes left. An error
	// rolls the transaction back, like that of a flush.
	AfterFlush func(ctx context.Context, s S, done Flushed) error
	// BeforeCommit is called by Commit, before its flush. It may use the
	// session, but not end the transaction. An error fails Commit; the
	// transaction stays open.
	BeforeCommit func(ctx context.Context, s S) error
	// AfterCommit is called when the transaction is committed. It must not use
	// the session.
	AfterCommit func(ctx context.Context)
	// BeforeRollback is called before the transaction is rolled back by
	// Rollback, or by a method that implies it, such as Close. It must not use
	// the database through the session.
	BeforeRollback func(ctx context.Context)
	// AfterRollback is called when the transaction was rolled back, or its
	// COMMIT has failed. A flush that fails does not call it; the Rollback that
	// has to follow does. It must not use the database through the session.
	AfterRollback func(ctx context.Context)
}

// Flushed lists the objects whose rows a flush has changed, as pointers to
// their types, in the order of the statements.
type Flushed struct {
	// Inserted are those with new rows.
	Inserted []any
	// Updated are those whose rows were changed.
	Updated []any
	// Deleted are those whose rows were deleted.
	Deleted []any
}
