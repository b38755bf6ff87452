package orm

import (
	"context"
	"reflect"

	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Load reads the objects of relations, after a flush, in one query for each
// relation, however many objects there are (one for every 512 of them). A path
// such as "Players.Team" continues with the relations of the objects read.
// Relations that were read before are not read again; see [Session.Expire].
//
// The objects belong to the session. If a path does not exist, or an object is
// not persistent, Load returns an error.
func Load[T any](ctx context.Context, h Handle, objs []*T, paths ...string) error {
	s := h.blocking()
	_, err := do(ctx, TasksOf[T](s).Load(objs, paths...))
	return err
}

// Load is [Load] as a task.
func (t TypedTasks[T]) Load(objs []*T, paths ...string) *Task[struct{}] {
	s := t.s
	return indivisible(s, opScalars, noResult(func(ctx context.Context) error {
		t, err := mapping.Of(reflect.TypeFor[T]())
		if err != nil {
			return err
		}
		tree, err := query.Paths(t, paths)
		if err != nil {
			return err
		}
		if err := s.autoflush(ctx); err != nil {
			return err
		}
		states := make([]*identity.State, len(objs))
		for i, obj := range objs {
			st := s.objects.At(reflect.ValueOf(obj).UnsafePointer())
			if st == nil || st.Status != identity.Persistent {
				return identity.Invalid("load: object %d of %s is not persistent", i, t.FullName())
			}
			states[i] = st
		}
		return s.loader(t).Paths(ctx, tree, states)
	}))
}
