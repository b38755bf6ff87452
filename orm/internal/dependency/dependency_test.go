package dependency_test

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/internal/dependency"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type owner struct {
	ID    int64
	Items []*item `orm:"rel:has-many"`
	Tags  []*tag  `orm:"rel:many-to-many,through:owner_tag"`
}

type item struct {
	ID      int64
	OwnerID *int64
	Owner   *owner `orm:"rel:belongs-to"`
}

type tag struct {
	ID     int64
	Owners []*owner `orm:"rel:many-to-many,through:owner_tag"`
}

// world is objects of structs, without a database.
type world struct {
	t    *testing.T
	m    *identity.Map
	j    *identity.Journal
	list []*identity.State
}

func newWorld(t *testing.T) *world {
	t.Helper()
	m := identity.NewMap(nil)
	return &world{t: t, m: m, j: identity.NewJournal(nil, m)}
}

func at[T any](obj *T) (reflect.Type, unsafe.Pointer) {
	return reflect.TypeFor[T](), unsafe.Pointer(obj)
}

// row is an object that has a row as it says.
func (w *world) row(typ reflect.Type, p unsafe.Pointer) *identity.State {
	table, err := mapping.Of(typ)
	if err != nil {
		w.t.Fatal(err)
	}
	st := w.m.AddPersistent(table, p, table.Snapshot(p), identity.KeyOf(table, p))
	st.Commit(true)
	w.list = append(w.list, st)
	return st
}

// fresh is a pending object.
func (w *world) fresh(typ reflect.Type, p unsafe.Pointer) *identity.State {
	table, err := mapping.Of(typ)
	if err != nil {
		w.t.Fatal(err)
	}
	st := w.m.AddPending(w.j, table, p)
	w.list = append(w.list, st)
	return st
}

func (w *world) collect(marked ...*identity.State) (*dependency.Set, error) {
	var related []*identity.State
	for _, st := range w.list {
		if st.Related() {
			related = append(related, st)
		}
	}
	return dependency.Collect(w.m, related, marked)
}

// TestWhatAForeignKeyIsToBe is the truth table of belongs-to and has-many.
func TestWhatAForeignKeyIsToBe(t *testing.T) {
	t.Parallel()
	one, two := int64(1), int64(2)
	for name, c := range map[string]struct {
		do   func(a, b *owner, i *item)
		want string // what i is to refer to: "a", "b", "none" or "" for no change; else part of an error
	}{
		"nothing":                      {func(_, _ *owner, _ *item) {}, ""},
		"the pointer":                  {func(_, b *owner, i *item) { i.Owner = b }, "b"},
		"the pointer to nil":           {func(_, _ *owner, i *item) { i.Owner = nil }, "none"},
		"the foreign key":              {func(_, _ *owner, i *item) { i.OwnerID = &two }, ""},
		"both, and they agree":         {func(_, b *owner, i *item) { i.OwnerID, i.Owner = &two, b }, "b"},
		"both, and they disagree":      {func(a, b *owner, i *item) { i.OwnerID, i.Owner, b.ID = &one, b, 3 }, "b"},
		"another's slice":              {func(_, b *owner, i *item) { b.Items = append(b.Items, i) }, "b"},
		"out of the slice":             {func(a, _ *owner, _ *item) { a.Items = nil }, "none"},
		"from slice to slice":          {func(a, b *owner, i *item) { a.Items, b.Items = nil, []*item{i} }, "b"},
		"slice and pointer disagree":   {func(a, b *owner, i *item) { i.Owner = nil; b.Items = []*item{i} }, "b"},
		"out, and the key assigned":    {func(a, _ *owner, i *item) { a.Items, i.OwnerID = nil, &two }, ""},
		"out, the parent's key is new": {func(a, _ *owner, _ *item) { a.Items, a.ID = nil, 9 }, "none"},
		"a pointer outside":            {func(_, _ *owner, i *item) { i.Owner = &owner{} }, "add it"},
		"two slices":                   {func(_, b *owner, i *item) { b.Items = []*item{i}; i.Owner = &owner{ID: 7} }, "want different objects"},
	} {
		w := newWorld(t)
		a, b := &owner{ID: 1}, &owner{ID: 2}
		i := &item{ID: 1, OwnerID: &one, Owner: a}
		a.Items = []*item{i}
		sa, sb, si := w.row(at(a)), w.row(at(b)), w.row(at(i))
		c.do(a, b, i)
		set, err := w.collect()
		if err != nil {
			if c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
			continue
		}
		got := ""
		for _, ref := range set.ForeignKeys[si] {
			switch ref.Parent {
			case nil:
				got += "none"
			case sa:
				got += "a"
			case sb:
				got += "b"
			default:
				got += "another"
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWhatADeletedOwnerLetsGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := int64(1)
	a := &owner{ID: 1, Tags: []*tag{{ID: 1}}}
	i := &item{ID: 1, OwnerID: &one}
	a.Items = []*item{i}
	sa, si := w.row(at(a)), w.row(at(i))
	w.row(at(a.Tags[0]))
	w.m.Mark(sa)
	set, err := w.collect(sa)
	if err != nil {
		t.Fatal(err)
	}
	if refs := set.ForeignKeys[si]; len(refs) != 1 || refs[0].Parent != nil {
		t.Errorf("the item is to refer to %v, want nothing", refs)
	}
	if len(set.Deletes) != 1 || set.Deletes[0].One != sa || set.Deletes[0].Other != nil {
		t.Errorf("pairs to delete: %v, want all of the owner's", set.Deletes)
	}
}

func TestPairs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do               func(a *owner, x, y *tag)
		inserts, deletes int
	}{
		"nothing":                {func(*owner, *tag, *tag) {}, 0, 0},
		"one side":               {func(a *owner, _, y *tag) { a.Tags = append(a.Tags, y) }, 1, 0},
		"the other side":         {func(a *owner, _, y *tag) { y.Owners = []*owner{a} }, 1, 0},
		"both sides say so":      {func(a *owner, _, y *tag) { a.Tags, y.Owners = append(a.Tags, y), []*owner{a} }, 1, 0},
		"taken out":              {func(a *owner, _, _ *tag) { a.Tags = nil }, 0, 1},
		"taken out at the other": {func(_ *owner, x, _ *tag) { x.Owners = nil }, 0, 1},
		"another order":          {func(a *owner, x, y *tag) { a.Tags = []*tag{y, x}; y.Owners = []*owner{a} }, 1, 0},
	} {
		w := newWorld(t)
		x, y := &tag{ID: 1}, &tag{ID: 2}
		a := &owner{ID: 1, Tags: []*tag{x}}
		x.Owners = []*owner{a}
		w.row(at(a))
		w.row(at(x))
		w.row(at(y))
		c.do(a, x, y)
		set, err := w.collect()
		if err != nil || len(set.Inserts) != c.inserts || len(set.Deletes) != c.deletes {
			t.Errorf("%s: %v, %d inserts and %d deletes, want %d and %d", name, err, len(set.Inserts), len(set.Deletes), c.inserts, c.deletes)
		}
		set.Commit(w.j)
		if again, err := w.collect(); name != "taken out" && name != "taken out at the other" && (err != nil || len(again.Deletes) != 0) {
			t.Errorf("%s: after the baselines are committed: %v, %v", name, err, again)
		}
	}
}

func TestAPendingParentsKeyIsNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := &item{}
	a := &owner{Items: []*item{i}}
	sa, si := w.fresh(at(a)), w.fresh(at(i))
	set, err := w.collect()
	if err != nil {
		t.Fatal(err)
	}
	if refs := set.ForeignKeys[si]; len(refs) != 1 || refs[0].Parent != sa || !refs[0].Generated(0) {
		t.Errorf("%v", refs)
	}
}
