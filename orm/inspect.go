package orm

import (
	"iter"
	"reflect"
	"strings"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/inspect"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Inspect returns the state of an object, and which of its fields were changed,
// with the values before and after. Values are copies, except for the objects
// that relations hold. It sends nothing. The error matches [ErrNotEntity] if
// obj is not a pointer to a mapped struct.
func (s *Session) Inspect(obj any) (inspect.State, error) {
	t, p, err := entity(obj)
	if err != nil {
		return inspect.State{}, err
	}
	st := s.objects.At(p)
	if st == nil || st.Discarded() {
		out := inspect.State{Status: inspect.Transient}
		if !identity.KeyIsZero(t, p) {
			out.Status, out.Key = inspect.Detached, identity.KeyValues(t, p)
		}
		return out, nil
	}
	out := inspect.State{Expired: st.Expired && st.Status == identity.Persistent, ToDelete: st.Marked}
	switch st.Status {
	case identity.Pending:
		out.Status = inspect.Pending
		if !identity.KeyIsZero(t, p) {
			out.Key = identity.KeyValues(t, p)
		}
	case identity.Persistent:
		out.Status, out.Key, out.Changes = inspect.Persistent, identity.KeyValues(t, st.Snapshot), changesOf(st)
	case identity.Deleted:
		out.Status, out.Key = inspect.Deleted, identity.KeyValues(t, st.Snapshot)
	}
	return out, nil
}

// changesOf returns what differs between a persistent object and its row.
func changesOf(st *identity.State) (out []inspect.Change) {
	t := st.Table
	var before, now memory.Pointer // copies
	for _, c := range t.Columns {
		if c.Equal(st.Object, st.Snapshot) {
			continue
		}
		if before == nil {
			before, now = t.Snapshot(st.Snapshot), t.Snapshot(st.Object)
		}
		out = append(out, inspect.Change{Field: c.Field, From: field(t, before, c.Field), To: field(t, now, c.Field)})
	}
	for _, r := range t.Relations() {
		was, is := st.Committed(r), st.Members(r)
		if len(was) == len(is) && len(identity.Difference(is, was)) == 0 {
			continue
		}
		held := t.New()
		r.Set(held, append([]memory.Pointer(nil), was...))
		from := field(t, held, r.Field)
		r.Set(held, append([]memory.Pointer(nil), is...))
		out = append(out, inspect.Change{Field: r.Field, From: from, To: field(t, held, r.Field)})
	}
	return out
}

// field returns the value of a field, whose name has those of embedded structs
// in front.
func field(t *mapping.Table, obj memory.Pointer, path string) any {
	v := reflect.ValueOf(t.Object(obj)).Elem()
	for name := range strings.SplitSeq(path, ".") {
		v = v.FieldByName(name)
	}
	return v.Interface()
}

// All returns the objects of the session, pending and persistent ones, in the
// order in which they came into it. Objects whose deletion was flushed are not
// included.
func (s *Session) All() iter.Seq[any] {
	return s.those(func(st *identity.State) bool { return st.Status != identity.Deleted && !st.Discarded() })
}

// Info holds your own values that belong to the session, such as its user. The
// session does not use them, and keeps them when it is closed.
func (s *Session) Info() map[any]any {
	if s.info == nil {
		s.info = map[any]any{}
	}
	return s.info
}
