package orm

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// mergeOptions say what is merged.
type mergeOptions struct {
	// fields are the only ones that are copied of the object that is merged, by
	// their names or those of their columns; nil: all.
	fields []string
	// nonZero leaves out fields that are zero.
	nonZero bool
	// noLoad reads nothing.
	noLoad bool
}

// mergeSession is what a merge needs of a session besides its objects.
type mergeSession interface {
	// Read reads the row whose key is in fresh, and returns its object, or nil.
	Read(ctx context.Context, t *mapping.Table, fresh unsafe.Pointer) (*state, error)
	// Related reads what a relation of an object holds.
	Related(ctx context.Context, r *mapping.Relation, st *state) error
	// Save adds what an object holds, as far as it cascades.
	Save(st *state)
}

// merger is one merge.
type merger struct {
	objects *objects
	journal *journal
	session mergeSession
	options mergeOptions
	merged  map[unsafe.Pointer]*state // by what was given
}

// mergeObject copies an object, and those that it holds, onto those of the
// session.
func mergeObject(
	ctx context.Context, o *objects, j *journal, s mergeSession, t *mapping.Table, from unsafe.Pointer, opts mergeOptions,
) (*state, error) {
	for _, f := range opts.fields {
		if t.Field(f) == nil && t.Relation(f) == nil {
			return nil, fmt.Errorf("orm: merge: %s has no field %q", t.Type.Name(), f)
		}
	}
	m := &merger{objects: o, journal: j, session: s, options: opts, merged: map[unsafe.Pointer]*state{}}
	return m.merge(ctx, t, from, nil)
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
		return nil, &staleError{Table: t.FullName(), Key: keyValues(t, from)}
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
	m.session.Save(st)
	return st, nil
}

// target returns the session's object that another one is copied onto.
func (m *merger) target(ctx context.Context, t *mapping.Table, from unsafe.Pointer) (*state, error) {
	if keyIsZero(t, from) {
		if m.options.noLoad {
			return nil, errInvalid("merge: an object of %s that is not to be loaded has no key", t.FullName())
		}
		return m.objects.addPending(m.journal, t, t.New()), nil
	}
	st := m.objects.find(t, identityOf(t, from))
	if st != nil && !st.expired {
		return st, nil
	}
	fresh := t.New()
	if m.options.noLoad {
		if st == nil {
			t.CopyAll(fresh, from)
			st = m.objects.addPersistent(t, fresh, t.Snapshot(from), identityOf(t, from))
		}
		return st, nil
	}
	for _, c := range t.Key {
		c.Copy(fresh, from)
	}
	st, err := m.session.Read(ctx, t, fresh)
	switch {
	case err != nil || st != nil:
		return st, err
	case t.Version != nil && !t.Version.Zero(from): // it had a row once
		return nil, &staleError{Table: t.FullName(), Key: keyValues(t, from)}
	}
	return m.objects.addPending(m.journal, t, t.New()), nil
}

// copies reports whether a column is copied.
func (m *merger) copies(c *mapping.Column, from unsafe.Pointer, top bool) bool {
	switch {
	case c.Generated || c.ReadOnly || c.Version:
		return false
	case (c.Default || c.Auto || m.options.nonZero) && c.Zero(from):
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
	return m.options.fields == nil || slices.Contains(m.options.fields, field) || column != "" && slices.Contains(m.options.fields, column)
}

// relation merges what a relation holds.
func (m *merger) relation(ctx context.Context, st *state, r *mapping.Relation, from unsafe.Pointer) error {
	if !m.options.noLoad && !st.loaded(r) && r.Kind != mapping.BelongsTo {
		if err := m.session.Related(ctx, r, st); err != nil { // what it no longer holds has to be known
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
