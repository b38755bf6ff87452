package orm

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
)

// loaderSession is what a loader needs of a session besides its objects.
type loaderSession interface {
	// Connect returns the connection of the session's transaction.
	Connect(ctx context.Context) (*engine.Conn, error)
	// Loaded tells an object that it was read.
	Loaded(ctx context.Context, st *state) error
}

// loader makes objects of rows.
type loader struct {
	// objects are those of the session.
	objects *objects
	// journal is that of its transaction.
	journal *journal
	// session is the session itself.
	session loaderSession
	// tells says that some objects want to be told that they were read.
	tells bool
}
