package load

import (
	"context"
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Paths reads relations of objects, and those behind them.
func (l *Loader) Paths(ctx context.Context, paths []query.Path, states []*identity.State) error {
	for _, p := range paths {
		missing := slices.DeleteFunc(slices.Clone(states), func(st *identity.State) bool { return st.Loaded(p.Relation) && !l.holdsExpired(st, p.Relation) })
		if len(missing) > 0 {
			if err := l.Related(ctx, p.Relation, missing); err != nil {
				return err
			}
		}
		if len(p.Rest) == 0 {
			continue
		}
		if err := l.Paths(ctx, p.Rest, l.heldBy(p.Relation, states)); err != nil {
			return err
		}
	}
	return nil
}

// holdsExpired reports whether a relation holds an object that has to be read
// again.
func (l *Loader) holdsExpired(st *identity.State, r *mapping.Relation) bool {
	return slices.ContainsFunc(st.Members(r), func(m memory.Pointer) bool {
		other := l.Map.At(m)
		return other != nil && other.Status == identity.Persistent && other.Expired
	})
}

// heldBy returns the objects that a relation of others holds, each once.
func (l *Loader) heldBy(r *mapping.Relation, states []*identity.State) (out []*identity.State) {
	seen := map[memory.Pointer]bool{}
	for _, st := range states {
		for _, m := range st.Members(r) {
			if other := l.Map.At(m); other != nil && other.Status == identity.Persistent && !seen[m] {
				seen[m] = true
				out = append(out, other)
			}
		}
	}
	return out
}
