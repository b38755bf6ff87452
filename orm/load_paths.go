package orm

import (
	"context"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// paths reads relations of objects, and those behind them.
func (l *loader) paths(ctx context.Context, paths []path, states []*state) error {
	for _, p := range paths {
		missing := slices.DeleteFunc(slices.Clone(states), func(st *state) bool { return st.loaded(p.r) && !l.holdsExpired(st, p.r) })
		if len(missing) > 0 {
			if err := l.related(ctx, p.r, missing); err != nil {
				return err
			}
		}
		if len(p.rest) == 0 {
			continue
		}
		if err := l.paths(ctx, p.rest, l.heldBy(p.r, states)); err != nil {
			return err
		}
	}
	return nil
}

// holdsExpired reports whether a relation holds an object that has to be read
// again.
func (l *loader) holdsExpired(st *state, r *mapping.Relation) bool {
	return slices.ContainsFunc(st.members(r), func(m unsafe.Pointer) bool {
		other := l.objects.at(m)
		return other != nil && other.status == persistent && other.expired
	})
}

// heldBy returns the objects that a relation of others holds, each once.
func (l *loader) heldBy(r *mapping.Relation, states []*state) (out []*state) {
	seen := map[unsafe.Pointer]bool{}
	for _, st := range states {
		for _, m := range st.members(r) {
			if other := l.objects.at(m); other != nil && other.status == persistent && !seen[m] {
				seen[m] = true
				out = append(out, other)
			}
		}
	}
	return out
}
