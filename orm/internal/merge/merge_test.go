package merge_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/merge"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type shelf struct {
	ID      int64 `orm:",pk,noauto"`
	Label   string
	Note    string
	Version int     `orm:",version"`
	Books   []*book `orm:"rel:has-many"`
}

type book struct {
	ID      int64 `orm:",pk,noauto"`
	ShelfID int64
	Title   string
}

// session is a session whose database is a map.
type session struct {
	m     *identity.Map
	rows  map[int64]shelf
	saved int
	asked []string
}

func (s *session) Read(_ context.Context, t *mapping.Table, fresh unsafe.Pointer) (*identity.State, error) {
	if t.Name != "shelf" {
		return nil, nil
	}
	row, ok := s.rows[(*shelf)(fresh).ID]
	if !ok {
		return nil, nil
	}
	obj := unsafe.Pointer(&row)
	return s.m.AddPersistent(t, obj, t.Snapshot(obj), identity.KeyOf(t, obj)), nil
}

func (s *session) Related(_ context.Context, r *mapping.Relation, st *identity.State) error {
	s.asked = append(s.asked, r.Field)
	st.SetLoaded(r, nil)
	return nil
}

func (s *session) Save(*identity.State) { s.saved++ }

func merged(t *testing.T, from *shelf, opts merge.Options, rows ...shelf) (*session, *shelf, *identity.State, error) {
	t.Helper()
	table, err := mapping.Of(reflect.TypeFor[shelf]())
	if err != nil {
		t.Fatal(err)
	}
	s := &session{m: identity.NewMap(nil), rows: map[int64]shelf{}}
	for _, row := range rows {
		s.rows[row.ID] = row
	}
	st, err := merge.Merge(context.Background(), s.m, identity.NewJournal(nil, s.m), s, table, unsafe.Pointer(from), opts)
	if err != nil {
		return s, nil, nil, err
	}
	return s, (*shelf)(st.Object), st, nil
}

func TestMergeCopies(t *testing.T) {
	t.Parallel()
	old := shelf{ID: 1, Label: "old", Note: "kept", Version: 2}
	for name, c := range map[string]struct {
		from shelf
		opts merge.Options
		want shelf
	}{
		"all":      {shelf{ID: 1, Label: "new"}, merge.Options{}, shelf{ID: 1, Label: "new", Version: 2}},
		"fields":   {shelf{ID: 1, Label: "new"}, merge.Options{Fields: []string{"Label"}}, shelf{ID: 1, Label: "new", Note: "kept", Version: 2}},
		"non-zero": {shelf{ID: 1, Label: "new"}, merge.Options{NonZero: true}, shelf{ID: 1, Label: "new", Note: "kept", Version: 2}},
		"no row":   {shelf{ID: 7, Label: "new"}, merge.Options{}, shelf{ID: 7, Label: "new"}},
	} {
		_, got, st, err := merged(t, &c.from, c.opts, old)
		if err != nil || !reflect.DeepEqual(*got, c.want) || got == &c.from {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
			continue
		}
		if want := map[bool]identity.Status{true: identity.Persistent, false: identity.Pending}[c.from.ID == 1]; st.Status != want {
			t.Errorf("%s: status %d, want %d", name, st.Status, want)
		}
	}
}

func TestMergeReplacesMembers(t *testing.T) {
	t.Parallel()
	s, got, _, err := merged(t, &shelf{ID: 1, Books: []*book{{ID: 5, Title: "a"}}}, merge.Options{}, shelf{ID: 1})
	if err != nil || len(got.Books) != 1 || got.Books[0].Title != "a" || s.saved == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if len(s.asked) != 1 || s.asked[0] != "Books" {
		t.Errorf("asked for %q", s.asked)
	}
}

func TestMergeOfAStaleObject(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]*shelf{"another version": {ID: 1, Version: 1}, "no row": {ID: 9, Version: 1}} {
		_, _, _, err := merged(t, from, merge.Options{}, shelf{ID: 1, Version: 2})
		if stale, ok := errors.AsType[*identity.StaleError](err); !ok || stale.Key[0] != from.ID {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := merged(t, &shelf{}, merge.Options{NoLoad: true}); !errors.Is(err, identity.ErrInvalidState) {
		t.Errorf("without a key and a row: %v", err)
	}
}
