package orm

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// loader returns a loader that turns rows of a table into objects.
func (s *Session) loader(t *mapping.Table) *load.Loader {
	return &load.Loader{Map: s.objects, Journal: s.tx.journal(), Session: loads{s}, Tells: hooksOf(t).load}
}

// loads is the session as a loader sees it.
type loads struct{ s *Session }

// Connect implements [loaderSession].
func (l loads) Connect(ctx context.Context) (*engine.Conn, error) { return l.s.connect(ctx) }

// Loaded implements [loaderSession].
func (l loads) Loaded(ctx context.Context, st *identity.State) error { return l.s.afterLoad(ctx, st) }

// loadRelation reads the objects of a relation.
func (s *Session) loadRelation(ctx context.Context, r *mapping.Relation, st *identity.State) error {
	return s.loader(r.Other).Related(ctx, r, []*identity.State{st})
}
