package cascade_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/internal/cascade"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type parent struct {
	ID       int64
	Children []*child `orm:"rel:has-many,cascade:all+orphan"`
}

type child struct {
	ID       int64
	ParentID int64
	Parent   *parent `orm:"rel:belongs-to"`
}

type world struct {
	m *identity.Map
	j *identity.Journal
}

func newWorld() *world {
	m := identity.NewMap(nil)
	return &world{m, identity.NewJournal(nil, m)}
}

func tableOf[T any]() *mapping.Table {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		panic(err)
	}
	return t
}

func row[T any](w *world, obj *T) *identity.State {
	t, p := tableOf[T](), unsafe.Pointer(obj)
	st := w.m.AddPersistent(t, p, t.Snapshot(p), identity.KeyOf(t, p))
	st.Commit(true)
	return st
}

func fresh[T any](w *world, obj *T) *identity.State {
	return w.m.AddPending(w.j, tableOf[T](), unsafe.Pointer(obj))
}

// family is a parent with a child, both of which have rows.
func family() (w *world, p *parent, c *child, sp, sc *identity.State) {
	w = newWorld()
	p, c = &parent{ID: 1}, &child{ID: 1, ParentID: 1}
	p.Children, c.Parent = []*child{c}, p
	return w, p, c, row(w, p), row(w, c)
}

func nothing(context.Context, *mapping.Relation, *identity.State) error { return nil }

func TestSaveFollowsWhatIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := &parent{Children: []*child{{}, {}}}
	var o cascade.Orphans
	o.Save(w.m, w.j, fresh(w, p))
	if n := len(slices.Collect(w.m.All())); n != 3 {
		t.Errorf("%d objects, want 3", n)
	}
	p.Children = p.Children[:1] // a pending one that nobody owns any more
	if marked := o.Mark(w.m); len(marked) != 0 {
		t.Errorf("%d rows are to be deleted", len(marked))
	}
	if !w.m.ExpungeDiscarded() || len(slices.Collect(w.m.All())) != 2 {
		t.Error("the pending orphan is in the session")
	}
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(w *world, p *parent, c *child)
		gone bool
	}{
		"held":      {func(*world, *parent, *child) {}, false},
		"taken out": {func(_ *world, p *parent, _ *child) { p.Children = nil }, true},
		"given by the slice": {func(w *world, p *parent, c *child) {
			p.Children = nil
			row(w, &parent{ID: 2})
			fresh(w, &parent{Children: []*child{c}})
		}, false},
		"given by the pointer":    {func(w *world, p *parent, c *child) { p.Children = nil; c.Parent = &parent{ID: 2} }, false},
		"given by the column":     {func(_ *world, p *parent, c *child) { p.Children, c.ParentID = nil, 2 }, false},
		"the pointer set to nil":  {func(_ *world, p *parent, c *child) { p.Children, c.Parent = nil, nil }, true},
		"the parent's key is new": {func(_ *world, p *parent, _ *child) { p.Children, p.ID = nil, 9 }, true},
	} {
		w, p, ch, _, sc := family()
		c.do(w, p, ch)
		var o cascade.Orphans
		marked := o.Mark(w.m)
		if (len(marked) == 1) != c.gone || sc.Marked != c.gone {
			t.Errorf("%s: marked %t, want %t", name, sc.Marked, c.gone)
		}
	}
}

// TestDelete marks what goes along, and takes back what has come to another by
// the time of the flush.
func TestDelete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after func(w *world, p *parent, c *child)
		gone          bool
	}{
		"held":                      {gone: true},
		"the pointer before":        {before: func(_ *world, _ *parent, c *child) { c.Parent = &parent{ID: 2} }},
		"the pointer after":         {after: func(_ *world, _ *parent, c *child) { c.Parent = &parent{ID: 2} }},
		"the column before":         {before: func(_ *world, _ *parent, c *child) { c.ParentID = 2 }},
		"the column after":          {after: func(_ *world, _ *parent, c *child) { c.ParentID = 2 }},
		"another's slice before":    {before: func(w *world, _ *parent, c *child) { row(w, &parent{ID: 2}); fresh(w, &parent{Children: []*child{c}}) }},
		"another's slice after":     {after: func(w *world, _ *parent, c *child) { fresh(w, &parent{Children: []*child{c}}) }},
		"taken out":                 {before: func(_ *world, p *parent, _ *child) { p.Children = nil }, gone: true},
		"another that goes as well": {after: func(w *world, _ *parent, c *child) { w.m.Mark(row(w, &parent{ID: 2, Children: []*child{c}})) }, gone: true},
	} {
		w, p, ch, sp, sc := family()
		if c.before != nil {
			c.before(w, p, ch)
		}
		if err := cascade.Delete(context.Background(), w.m, sp, nothing); err != nil {
			t.Fatal(err)
		}
		if c.after != nil {
			c.after(w, p, ch)
		}
		cascade.Reconsider(w.m)
		if sc.Marked != c.gone || !sp.Marked {
			t.Errorf("%s: the child goes along: %t, want %t", name, sc.Marked, c.gone)
		}
		w.m.Unmark(sp)
		if sc.Marked {
			t.Errorf("%s: the mark of the child stays without that of its parent", name)
		}
	}
}

func TestDeleteReadsWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld()
	st := row(w, &parent{ID: 1})
	st.Commit(false)
	st.Expire() // nothing is known of its relations
	refused := errors.New("refused")
	var asked string
	err := cascade.Delete(context.Background(), w.m, st, func(_ context.Context, r *mapping.Relation, _ *identity.State) error {
		asked = r.Field
		return refused
	})
	if !errors.Is(err, refused) || asked != "Children" {
		t.Errorf("asked for %q, %v", asked, err)
	}
}

func TestExpireAndExpunge(t *testing.T) {
	t.Parallel()
	w, p, _, sp, sc := family()
	pending := &child{}
	p.Children = append(p.Children, pending)
	fresh(w, pending)
	cascade.Expire(w.m, sp)
	if !sp.Expired || !sc.Expired || w.m.At(unsafe.Pointer(pending)) != nil {
		t.Error("the parent, its child or its pending child is not what it should be")
	}
	cascade.Expunge(w.m, sp)
	if n := len(slices.Collect(w.m.All())); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}
