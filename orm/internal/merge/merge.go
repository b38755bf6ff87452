// Package merge copies objects of elsewhere onto those of a session.
package merge

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Options say what is merged.
type Options struct {
	// Fields are the only ones that are copied of the object that is merged, by
	// their names or those of their columns; nil: all.
	Fields []string
	// NonZero leaves out fields that are zero.
	NonZero bool
	// NoLoad reads nothing.
	NoLoad bool
	// Micro says that the database keeps no more of a time than microseconds.
	Micro bool
}

// Session is what a merge needs of a session besides its objects.
type Session interface {
	// Read reads the row whose key is in fresh, and returns its object, or nil.
	Read(ctx context.Context, t *mapping.Table, fresh memory.Pointer) (*identity.State, error)
	// Related reads what a relation of an object holds.
	Related(ctx context.Context, r *mapping.Relation, st *identity.State) error
	// Save adds what an object holds, as far as it cascades.
	Save(st *identity.State)
}

// merger is one merge.
type merger struct {
	objects *identity.Map
	journal *identity.Journal
	session Session
	options Options
	merged  map[memory.Pointer]*identity.State // by what was given
}

// Merge copies an object, and those that it holds, onto those of the
// session.
func Merge(
	ctx context.Context, o *identity.Map, j *identity.Journal, s Session, t *mapping.Table, from memory.Pointer, opts Options,
) (*identity.State, error) {
	for _, f := range opts.Fields {
		if t.Field(f) == nil && t.Relation(f) == nil {
			return nil, fmt.Errorf("orm: merge: %s, field %q: %w", t.Type.Name(), f, mapping.ErrUnknownField)
		}
	}
	m := &merger{objects: o, journal: j, session: s, options: opts, merged: map[memory.Pointer]*identity.State{}}
	return m.merge(ctx, t, from, nil)
}

// merge merges an object that a relation holds; by is nil for the one that was
// given.
func (m *merger) merge(ctx context.Context, t *mapping.Table, from memory.Pointer, by *mapping.Relation) (*identity.State, error) {
	if st := m.merged[from]; st != nil {
		return st, nil
	}
	if st := m.objects.At(from); st != nil { // it is the session's own
		m.merged[from] = st
		return st, nil
	}
	st, err := m.target(ctx, t, from)
	if err != nil {
		return nil, err
	}
	top := len(m.merged) == 0
	m.merged[from] = st
	if v := t.Version; v != nil && st.Status == identity.Persistent && !v.Zero(from) && !v.Equal(from, st.Snapshot) {
		return nil, &identity.StaleError{Table: t.FullName(), Key: identity.KeyValues(t, from)}
	}
	for _, c := range t.Columns {
		if m.copies(c, from, top) && (!c.PK || st.Status == identity.Pending) && !(c.Zero(from) && m.refers(t, c, from, by)) &&
			!(m.options.Micro && sameMoment(c, st.Object, from)) {
			c.Copy(st.Object, from)
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
func (m *merger) target(ctx context.Context, t *mapping.Table, from memory.Pointer) (*identity.State, error) {
	if identity.KeyIsZero(t, from) {
		if m.options.NoLoad {
			return nil, identity.Invalid("merge: an object of %s that is not to be loaded has no key", t.FullName())
		}
		return m.objects.AddPending(m.journal, t, t.New()), nil
	}
	st := m.objects.Find(t, identity.KeyOf(t, from))
	if st != nil && !st.Expired {
		return st, nil
	}
	fresh := t.New()
	if m.options.NoLoad {
		if st == nil {
			t.CopyAll(fresh, from)
			st = m.objects.AddPersistent(t, fresh, t.Snapshot(from), identity.KeyOf(t, from))
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
		return nil, &identity.StaleError{Table: t.FullName(), Key: identity.KeyValues(t, from)}
	}
	return m.objects.AddPending(m.journal, t, t.New()), nil
}

// copies reports whether a column is copied.
func (m *merger) copies(c *mapping.Column, from memory.Pointer, top bool) bool {
	switch {
	case c.Generated || c.ReadOnly || c.Version:
		return false
	case (c.Default || c.Auto || m.options.NonZero) && c.Zero(from):
		return false
	}
	return !top || m.wants(c.Field, c.Name)
}

// sameMoment reports whether a column has times that are the same to a database
// without nanoseconds: that of the row is no change of the one it was read from.
func sameMoment(c *mapping.Column, a, b memory.Pointer) bool {
	x, ok := moment(c, a)
	y, too := moment(c, b)
	return ok && too && x.Equal(y)
}

func moment(c *mapping.Column, obj memory.Pointer) (time.Time, bool) {
	v, err := c.Value(obj, false)
	if null, ok := v.(sql.Null[time.Time]); ok && null.Valid {
		v = null.V
	} else if null, ok := v.(sql.NullTime); ok && null.Valid {
		v = null.Time
	}
	at, ok := v.(time.Time)
	return at.Truncate(time.Microsecond), ok && err == nil
}

// refers reports whether a column is a foreign key that a relation speaks for:
// the one that holds the object, or one of its own. While it is zero, it counts
// as not set.
func (m *merger) refers(t *mapping.Table, c *mapping.Column, from memory.Pointer, by *mapping.Relation) bool {
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
	return m.options.Fields == nil || slices.Contains(m.options.Fields, field) || column != "" && slices.Contains(m.options.Fields, column)
}

// relation merges what a relation holds.
func (m *merger) relation(ctx context.Context, st *identity.State, r *mapping.Relation, from memory.Pointer) error {
	if !m.options.NoLoad && !st.Loaded(r) && r.Kind != mapping.BelongsTo {
		if err := m.session.Related(ctx, r, st); err != nil { // what it no longer holds has to be known
			return err
		}
	}
	var held []memory.Pointer
	for _, p := range r.AppendMembers(nil, from) {
		other, err := m.merge(ctx, r.Other, p, r)
		if err != nil {
			return err
		}
		held = append(held, other.Object)
	}
	r.Set(st.Object, held)
	return nil
}
