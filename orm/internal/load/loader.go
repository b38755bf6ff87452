// Package load makes objects of rows that are read.
package load

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// Session is what a loader needs of a session besides its objects.
type Session interface {
	// Connect returns the connection of the session's transaction.
	Connect(ctx context.Context) (*engine.Conn, error)
	// Loaded tells an object that it was read.
	Loaded(ctx context.Context, st *identity.State) error
}

// Loader makes objects of rows.
type Loader struct {
	// Map are those of the session.
	Map *identity.Map
	// Journal is that of its transaction.
	Journal *identity.Journal
	// Session is the session itself.
	Session Session
	// Tells says that some objects want to be told that they were read.
	Tells bool
}
