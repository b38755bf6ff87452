package orm

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/merge"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// A MergeOption changes what [Merge] copies.
type MergeOption interface{ apply(m *merge.Options) }

type mergeOption func(m *merge.Options)

func (f mergeOption) apply(m *merge.Options) { f(m) }

// MergeFields copies these fields only, given by their names or those of their
// columns. It applies to the merged object, not to the objects that its
// relations hold.
func MergeFields(fields ...string) MergeOption {
	return mergeOption(func(m *merge.Options) { m.Fields = append(m.Fields, fields...) })
}

// MergeNonZero leaves out fields with a zero value.
func MergeNonZero() MergeOption { return mergeOption(func(m *merge.Options) { m.NonZero = true }) }

// NoLoad reads nothing: the merged object is assumed to be equal to its row.
// Its key must be set.
func NoLoad() MergeOption { return mergeOption(func(m *merge.Options) { m.NoLoad = true }) }

// Merge copies the state of obj, typically a detached or deserialized object,
// onto the session's object with the same primary key, and returns the session's
// object. If the session has none, the row is read; if there is no row, or obj
// has no key, the result is a new object, to be inserted. obj itself stays
// outside the session. Pending changes are flushed first, unless nothing is to
// be read or autoflush is off.
//
// Every column is copied that the database does not compute. A column with a
// database default counts as not set while it is zero, and so do a version and
// the foreign key of a relation that is merged. If the version differs from the
// row's, or the row no longer exists, the error is a [*StaleDataError]. Objects
// held by relations with cascade:merge are merged too and replace those held
// before; a relation that is nil is left alone.
func Merge[T any](ctx context.Context, h Handle, obj *T, opts ...MergeOption) (*T, error) {
	s := h.blocking()
	return do(ctx, TasksOf[T](s).Merge(obj, opts...))
}

// Merge is [Merge] as a task.
func (t TypedTasks[T]) Merge(obj *T, opts ...MergeOption) *Task[*T] {
	s := t.s
	var m merge.Options
	for _, o := range opts {
		if o != nil {
			o.apply(&m)
		}
	}
	return indivisible(s, opMerge, func(ctx context.Context) (*T, error) {
		t, p, err := entity(obj)
		if err != nil {
			return nil, err
		}
		st, err := s.merge(ctx, t, p, m)
		if err != nil {
			return nil, stale(err)
		}
		return (*T)(st.Object), nil
	})
}

// merge flushes and merges, with autoflush off meanwhile: a half-merged object
// must not be flushed.
func (s *Session) merge(ctx context.Context, t *mapping.Table, from memory.Pointer, opts merge.Options) (st *identity.State, err error) {
	if err := s.ensureTransaction(); err != nil {
		return nil, err
	}
	if !opts.NoLoad {
		if err := s.autoflush(ctx); err != nil {
			return nil, err
		}
	}
	opts.Micro = s.eng.Dialect().System != sp.SQLite
	err = s.NoAutoflush(func() (err error) {
		st, err = merge.Merge(ctx, s.objects, s.tx.journal(), merges{s}, t, from, opts)
		return err
	})
	return st, err
}

// merges is the session as a merge sees it.
type merges struct{ s *Session }

// Read implements [mergeSession].
func (m merges) Read(ctx context.Context, t *mapping.Table, fresh memory.Pointer) (*identity.State, error) {
	return m.s.read(ctx, t, fresh, getConfig{})
}

// Related implements [mergeSession].
func (m merges) Related(ctx context.Context, r *mapping.Relation, st *identity.State) error {
	return m.s.loadRelation(ctx, r, st)
}

// Save implements [mergeSession].
func (m merges) Save(st *identity.State) { m.s.orphans.Save(m.s.objects, m.s.tx.journal(), st) }
