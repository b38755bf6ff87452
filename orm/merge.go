package orm

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// A MergeOption changes what [Merge] copies.
type MergeOption interface{ apply(m *merger) }

type mergeOption func(m *merger)

func (f mergeOption) apply(m *merger) { f(m) }

// MergeFields copies these fields only, by their names or those of their
// columns. It is about the object that is merged, not about those its relations
// hold.
func MergeFields(fields ...string) MergeOption {
	return mergeOption(func(m *merger) { m.fields = append(m.fields, fields...) })
}

// MergeNonZero leaves out fields that are zero.
func MergeNonZero() MergeOption { return mergeOption(func(m *merger) { m.nonZero = true }) }

// NoLoad reads nothing: what is merged is taken for what the database has. Its
// key must be set.
func NoLoad() MergeOption { return mergeOption(func(m *merger) { m.noLoad = true }) }

// merger is one merge.
type merger struct {
	*Session
	fields  []string
	nonZero bool
	noLoad  bool
	merged  map[unsafe.Pointer]*state // by what was given
}

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
func Merge[T any](ctx context.Context, s *Session, obj *T, opts ...MergeOption) (*T, error) {
	return do(ctx, MergeTask(s, obj, opts...))
}

// MergeTask is [Merge] as a task.
func MergeTask[T any](s *Session, obj *T, opts ...MergeOption) *Task[*T] {
	m := &merger{Session: s, merged: map[unsafe.Pointer]*state{}}
	for _, o := range opts {
		if o != nil {
			o.apply(m)
		}
	}
	return whole(s, sp.OpSessionMerge, func(ctx context.Context) (*T, error) {
		t, p, err := entity(obj)
		if err != nil {
			return nil, err
		}
		for _, f := range m.fields {
			if t.Field(f) == nil && t.Relation(f) == nil {
				return nil, fmt.Errorf("orm: merge: %s has no field %q", t.Type.Name(), f)
			}
		}
		st, err := m.mergeAll(ctx, t, p)
		if err != nil {
			return nil, err
		}
		return (*T)(st.obj), nil
	})
}

// mergeAll flushes and merges. What is half merged must not be flushed.
func (m *merger) mergeAll(ctx context.Context, t *mapping.Table, from unsafe.Pointer) (st *state, err error) {
	if err := m.begun(); err != nil {
		return nil, err
	}
	if !m.noLoad {
		if err := m.autoflush(ctx); err != nil {
			return nil, err
		}
	}
	err = m.NoAutoflush(func() (err error) {
		st, err = m.merge(ctx, t, from, nil)
		return err
	})
	return st, err
}

// merge merges an object that a relation holds; by is nil for the one that was
// given.
func (m *merger) merge(ctx context.Context, t *mapping.Table, from unsafe.Pointer, by *mapping.Relation) (*state, error) {
	if st := m.merged[from]; st != nil {
		return st, nil
	}
	if st := m.objects.at(from); st != nil { // it is the session's own
		m.merged[from] = st
		return st, nil
	}
	st, err := m.target(ctx, t, from)
	if err != nil {
		return nil, err
	}
	top := len(m.merged) == 0
	m.merged[from] = st
	if v := t.Version; v != nil && st.status == persistent && !v.Zero(from) && !v.Equal(from, st.snapshot) {
		return nil, &StaleDataError{Table: t.FullName(), Key: keyOf(t, from)}
	}
	for _, c := range t.Columns {
		if m.copies(c, from, top) && (!c.PK || st.status == pending) && !(c.Zero(from) && m.refers(t, c, from, by)) {
			c.Copy(st.obj, from)
		}
	}
	for _, r := range t.Relations() {
		if r.Cascade&mapping.CascadeMerge == 0 || r.Nil(from) || top && !m.wants(r.Field, "") {
			continue
		}
		if err := m.relation(ctx, st, r, from); err != nil {
			return nil, err
		}
	}
	m.cascade(st)
	return st, nil
}

// target returns the session's object that another one is copied onto.
func (m *merger) target(ctx context.Context, t *mapping.Table, from unsafe.Pointer) (*state, error) {
	if keyIsZero(t, from) {
		if m.noLoad {
			return nil, invalid("merge: an object of %s that is not to be loaded has no key", t.FullName())
		}
		return m.enlist(t, t.New()), nil
	}
	st := m.objects.find(t, identityOf(t, from))
	if st != nil && !st.expired {
		return st, nil
	}
	fresh := t.New()
	if m.noLoad {
		if st == nil {
			t.CopyAll(fresh, from)
			st = &state{table: t, obj: fresh, status: persistent, snapshot: t.Snapshot(from)}
			m.objects.add(st)
			m.objects.identify(st, identityOf(t, from))
		}
		return st, nil
	}
	for _, c := range t.Key {
		c.Copy(fresh, from)
	}
	st, err := m.read(ctx, t, fresh, getConfig{})
	switch {
	case err != nil || st != nil:
		return st, err
	case t.Version != nil && !t.Version.Zero(from): // it had a row once
		return nil, &StaleDataError{Table: t.FullName(), Key: keyOf(t, from)}
	}
	return m.enlist(t, t.New()), nil
}

// copies reports whether a column is copied.
func (m *merger) copies(c *mapping.Column, from unsafe.Pointer, top bool) bool {
	switch {
	case c.Generated || c.ReadOnly || c.Version:
		return false
	case (c.Default || c.Auto || m.nonZero) && c.Zero(from):
		return false
	}
	return !top || m.wants(c.Field, c.Name)
}

// refers reports whether a column is a foreign key that a relation speaks for:
// the one that holds the object, or one of its own. While it is zero, it counts
// as not set.
func (m *merger) refers(t *mapping.Table, c *mapping.Column, from unsafe.Pointer, by *mapping.Relation) bool {
	if by != nil && (by.Kind == mapping.HasOne || by.Kind == mapping.HasMany) && slices.Contains(by.Remote, c) {
		return true
	}
	for _, r := range t.Relations() {
		if r.Kind == mapping.BelongsTo && r.Cascade&mapping.CascadeMerge != 0 && !r.Nil(from) && slices.Contains(r.Local, c) {
			return true
		}
	}
	return false
}

func (m *merger) wants(field, column string) bool {
	return m.fields == nil || slices.Contains(m.fields, field) || column != "" && slices.Contains(m.fields, column)
}

// relation merges what a relation holds.
func (m *merger) relation(ctx context.Context, st *state, r *mapping.Relation, from unsafe.Pointer) error {
	if !m.noLoad && !st.loaded(r) && r.Kind != mapping.BelongsTo {
		if _, err := m.loadRelated(ctx, r, []*state{st}); err != nil { // what it no longer holds has to be known
			return err
		}
	}
	var held []unsafe.Pointer
	for _, p := range r.AppendMembers(nil, from) {
		other, err := m.merge(ctx, r.Other, p, r)
		if err != nil {
			return err
		}
		held = append(held, other.obj)
	}
	r.Set(st.obj, held)
	return nil
}
