package orm

import (
	"context"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/merge"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// A MergeOption changes what [Merge] copies.
type MergeOption interface{ apply(m *merge.Options) }

type mergeOption func(m *merge.Options)

func (f mergeOption) apply(m *merge.Options) { f(m) }

// MergeFields copies these fields only, by their names or those of their
// columns. It is about the object that is merged, not about those its relations
// hold.
func MergeFields(fields ...string) MergeOption {
	return mergeOption(func(m *merge.Options) { m.Fields = append(m.Fields, fields...) })
}

// MergeNonZero leaves out fields that are zero.
func MergeNonZero() MergeOption { return mergeOption(func(m *merge.Options) { m.NonZero = true }) }

// NoLoad reads nothing: what is merged is taken for what the database has. Its
// key must be set.
func NoLoad() MergeOption { return mergeOption(func(m *merge.Options) { m.NoLoad = true }) }

// Merge copies an object of elsewhere, such as one that came over the network,
// onto the session's object of the same key, and returns that. If the session
// has none, the row is read; if there is no row, or obj has no key, the result
// is a new object, to be inserted. obj itself stays outside of the session. What
// is pending is flushed first, unless nothing is to be read or autoflush is off.
//
// All columns are copied that the database does not fill in. One that it fills
// in if it is left out counts as not set while it is zero, and so do a version
// and the foreign key of a relation that is merged. A version that is set and is
// not that of the row, or for which there is no row any more, is a
// [*StaleDataError]. What relations with cascade:merge
// hold is merged too, and replaces what they held; a relation that is nil is
// left alone.
func Merge[T any](ctx context.Context, h Handle, obj *T, opts ...MergeOption) (*T, error) {
	s := h.blocking()
	return do(ctx, MergeTask(s, obj, opts...))
}

// MergeTask is [Merge] as a task.
func MergeTask[T any](s *Session, obj *T, opts ...MergeOption) *Task[*T] {
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

// merge flushes and merges. What is half merged must not be flushed.
func (s *Session) merge(ctx context.Context, t *mapping.Table, from unsafe.Pointer, opts merge.Options) (st *identity.State, err error) {
	if err := s.ensureTransaction(); err != nil {
		return nil, err
	}
	if !opts.NoLoad {
		if err := s.autoflush(ctx); err != nil {
			return nil, err
		}
	}
	err = s.NoAutoflush(func() (err error) {
		st, err = merge.Merge(ctx, s.objects, s.tx.journal(), merges{s}, t, from, opts)
		return err
	})
	return st, err
}

// merges is a session for a merge.
type merges struct{ s *Session }

// Read implements [mergeSession].
func (m merges) Read(ctx context.Context, t *mapping.Table, fresh unsafe.Pointer) (*identity.State, error) {
	return m.s.read(ctx, t, fresh, getConfig{})
}

// Related implements [mergeSession].
func (m merges) Related(ctx context.Context, r *mapping.Relation, st *identity.State) error {
	return m.s.loadRelation(ctx, r, st)
}

// Save implements [mergeSession].
func (m merges) Save(st *identity.State) { m.s.orphans.Save(m.s.objects, m.s.tx.journal(), st) }
