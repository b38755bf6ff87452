package orm

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Load reads what relations of objects hold, after a flush: one query for each
// relation, however many objects there are (one for every 512 of them). A path
// such as "Players.Team" goes on to the relations of what was read. What was
// read before is not read again; see [Session.Expire].
//
// The objects belong to the session. A path that does not exist, and an object
// that is not persistent, are errors.
func Load[T any](ctx context.Context, s *Session, objs []*T, paths ...string) error {
	_, err := do(ctx, LoadTask(s, objs, paths...))
	return err
}

// LoadTask is [Load] as a task.
func LoadTask[T any](s *Session, objs []*T, paths ...string) *Task[Nothing] {
	return whole(s, sp.OpSessionScalars, finish(func(ctx context.Context) error {
		t, err := mapping.Of(typeFor[T]())
		if err != nil {
			return err
		}
		tree, err := pathsOf(t, paths)
		if err != nil {
			return err
		}
		if err := s.autoflush(ctx); err != nil {
			return err
		}
		states := make([]*state, len(objs))
		for i, obj := range objs {
			st := s.objects.at(reflect.ValueOf(obj).UnsafePointer())
			if st == nil || st.status != persistent {
				return invalid("load: object %d of %s is not persistent", i, t.FullName())
			}
			states[i] = st
		}
		return s.loadPaths(ctx, tree, states)
	}))
}

// path is a relation and those behind it.
type path struct {
	r    *mapping.Relation
	rest []path
}

// pathsOf reads paths such as "Players.Team".
func pathsOf(t *mapping.Table, texts []string) ([]path, error) {
	var order []string
	rest := map[string][]string{}
	for _, text := range texts {
		head, tail, more := strings.Cut(text, ".")
		if !slices.Contains(order, head) {
			order = append(order, head)
		}
		if more {
			rest[head] = append(rest[head], tail)
		}
	}
	var out []path
	for _, name := range order {
		r := t.Relation(name)
		if r == nil {
			return nil, fmt.Errorf("orm: %s has no relation %q", t.Type.Name(), name)
		}
		behind, err := pathsOf(r.Other, rest[name])
		if err != nil {
			return nil, err
		}
		out = append(out, path{r, behind})
	}
	return out, nil
}

// loadPaths reads relations of objects, and those behind them.
func (s *Session) loadPaths(ctx context.Context, paths []path, states []*state) error {
	for _, p := range paths {
		missing := slices.DeleteFunc(slices.Clone(states), func(st *state) bool { return st.loaded(p.r) && !s.holdsExpired(st, p.r) })
		if len(missing) > 0 {
			if _, err := s.loadRelated(ctx, p.r, missing); err != nil {
				return err
			}
		}
		if len(p.rest) == 0 {
			continue
		}
		if err := s.loadPaths(ctx, p.rest, s.heldBy(p.r, states)); err != nil {
			return err
		}
	}
	return nil
}

// holdsExpired reports whether a relation holds an object that has to be read
// again.
func (s *Session) holdsExpired(st *state, r *mapping.Relation) bool {
	return slices.ContainsFunc(st.members(r), func(m unsafe.Pointer) bool {
		other := s.objects.at(m)
		return other != nil && other.status == persistent && other.expired
	})
}

// heldBy returns the objects that a relation of others holds, each once.
func (s *Session) heldBy(r *mapping.Relation, states []*state) (out []*state) {
	seen := map[unsafe.Pointer]bool{}
	for _, st := range states {
		for _, m := range st.members(r) {
			if other := s.objects.at(m); other != nil && other.status == persistent && !seen[m] {
				seen[m] = true
				out = append(out, other)
			}
		}
	}
	return out
}
