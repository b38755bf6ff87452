package proxy_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// The session's contract, written once for both kinds of session: each test is
// a line of it.

// kept adds a shelf with two boxes and commits it.
func kept(t *testing.T, p *proxy.Proxy, name string) *Shelf {
	t.Helper()
	s := &Shelf{Name: name, Boxes: []*Box{{Label: "a"}, {Label: "b"}}}
	if err := p.Add(s); err != nil {
		t.Fatal(err)
	}
	ok(t, p.Commit(t.Context()))
	return s
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}

func TestStates(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		s := &Shelf{Name: "one"}
		is(t, p.Delete(ctx, s).Await(ctx), orm.ErrInvalidState)  // transient
		is(t, p.Refresh(ctx, s).Await(ctx), orm.ErrInvalidState) // transient
		if err := p.Add(s); err != nil || !p.InTransaction() || !p.Contains(s) {
			t.Error("not pending", err)
		}
		is(t, p.Delete(ctx, s).Await(ctx), orm.ErrInvalidState) // pending
		ok(t, p.Flush(ctx))
		if s.ID == 0 || len(slices.Collect(p.New())) != 0 {
			t.Error("not persistent")
		}
		ok(t, p.Delete(ctx, s))
		ok(t, p.Delete(ctx, s)) // a second time does nothing
		if err := p.Add(s); err != nil || len(slices.Collect(p.Deleted())) != 0 {
			t.Error("adding does not take back a deletion", err)
		}
		ok(t, p.Delete(ctx, s))
		ok(t, p.Flush(ctx))
		is(t, p.Add(s), orm.ErrInvalidState) // deleted
		if got := must(t, proxy.Get[Shelf](ctx, p, s.ID)); got != nil || p.Contains(s) {
			t.Error("a deleted row has an object")
		}
		ok(t, p.Rollback(ctx))
		if p.Contains(s) || s.ID != 0 {
			t.Error("added and deleted in one transaction, an object is transient after its rollback")
		}
		if n := shelfCount(t, eng); n != 0 {
			t.Errorf("%d shelves", n)
		}
	})
}

func TestOnePointerPerRow(t *testing.T) {
	onEachKind(t, func(t *testing.T, _ *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		s := kept(t, p, "one")
		all := must(t, proxy.FindAll(ctx, p, orm.From[Shelf]()))
		some := must(t, proxy.Scalars[*Shelf](ctx, p, engine.Text("SELECT * FROM shelf")))
		if must(t, proxy.Get[Shelf](ctx, p, s.ID)) != s || all[0] != s || some[0] != s || must(t, proxy.FindFirst(ctx, p, orm.From[Shelf]())) != s {
			t.Error("a row has several objects")
		}
		s.Name = "changed"
		must(t, proxy.FindAll(ctx, p, orm.From[Shelf]()))
		if s.Name != "changed" {
			t.Error("a query has overwritten a change")
		}
		ok(t, p.Rollback(ctx))
	})
}

func TestExpiry(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		s := kept(t, p, "one")
		if _, err := eng.Execute(ctx, engine.Text("UPDATE shelf SET name = 'theirs'")); err != nil {
			t.Fatal(err)
		}
		if must(t, proxy.Get[Shelf](ctx, p, s.ID)); s.Name != "one" {
			t.Error("an object that is not expired was read")
		}
		s.Name = "lost"
		if err := p.Expire(s); err != nil {
			t.Fatal(err)
		}
		if must(t, proxy.Get[Shelf](ctx, p, s.ID)); s.Name != "theirs" {
			t.Errorf("an expired object says %q", s.Name)
		}
		s.Name = "lost again"
		ok(t, p.Refresh(ctx, s))
		if s.Name != "theirs" {
			t.Error("a refresh keeps changes")
		}
		ok(t, p.Commit(ctx)) // SQLite's lock
		if _, err := eng.Execute(ctx, engine.Text("DELETE FROM box")); err != nil {
			t.Fatal(err)
		}
		b := s.Boxes[0]
		if err := p.Expire(b); err != nil {
			t.Fatal(err)
		}
		if got := must(t, proxy.Get[Box](ctx, p, b.ID)); got != nil || p.Contains(b) {
			t.Error("an expired object whose row is gone is still there")
		}
		ok(t, p.Rollback(ctx))
	})
}

func TestAFailedFlush(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		s := kept(t, p, "one")
		extra := &Shelf{Name: "extra"}
		twin := &Shelf{ID: s.ID, Name: "twin"}
		if err := p.AddAll(extra, twin); err != nil {
			t.Fatal(err)
		}
		err := p.Flush(ctx).Await(ctx)
		var violated *integrity.Error
		if !errors.As(err, &violated) || p.IsActive() || !p.InTransaction() {
			t.Fatalf("%v, active %v", err, p.IsActive())
		}
		is(t, p.Commit(ctx).Await(ctx), orm.ErrPendingRollback)
		_, err = proxy.Get[Shelf](ctx, p, 999).Await(ctx)
		is(t, err, orm.ErrPendingRollback)
		ok(t, p.Rollback(ctx))
		if p.Contains(extra) || extra.ID != 0 || !p.Contains(s) || !p.IsActive() {
			t.Error("the objects are not what they were")
		}
		if n := shelfCount(t, eng); n != 1 {
			t.Errorf("%d shelves", n)
		}
	})
}

func TestSavepointsUndoAPart(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		s := kept(t, p, "one")
		s.Name = "before"
		outer := must(t, p.BeginNested(ctx)) // flushes
		inner := must(t, p.BeginNested(ctx))
		lost := &Shelf{Name: "lost"}
		s.Name = "after"
		if err := p.Add(lost); err != nil {
			t.Fatal(err)
		}
		ok(t, inner.Commit(ctx))
		if !outer.IsActive() || inner.IsActive() || !p.InNestedTransaction() {
			t.Error("the wrong savepoint has ended")
		}
		ok(t, outer.Rollback(ctx))
		is(t, outer.Commit(ctx).Await(ctx), engine.ErrTransactionClosed)
		if p.Contains(lost) || lost.ID != 0 || !p.InTransaction() || p.InNestedTransaction() {
			t.Error("the savepoint's objects are still there")
		}
		if must(t, proxy.Get[Shelf](ctx, p, s.ID)); s.Name != "before" {
			t.Errorf("the object says %q", s.Name)
		}
		ok(t, p.Commit(ctx))
		if n := shelfCount(t, eng); n != 1 {
			t.Errorf("%d shelves", n)
		}
	})
}

func TestRelationsAreOneGraph(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		one, two := kept(t, p, "one"), kept(t, p, "two")
		moved, orphan := one.Boxes[0], one.Boxes[1]
		one.Boxes, two.Boxes = nil, append(two.Boxes, moved)
		ok(t, p.Commit(ctx))
		if moved.ShelfID != two.ID || moved.Shelf != two || p.Contains(orphan) {
			t.Errorf("%+v", moved)
		}
		loaded := must(t, proxy.FindOne(ctx, p, orm.From[Shelf]().Where("name = ?", "two").With("Boxes.Shelf")))
		if loaded != two || len(two.Boxes) != 3 {
			t.Errorf("%d boxes", len(two.Boxes))
		}
		merged := must(t, proxy.Merge(ctx, p, &Shelf{ID: two.ID, Name: "deux", Boxes: []*Box{{ID: moved.ID, ShelfID: two.ID, Label: "z"}}}))
		if merged != two || moved.Label != "z" {
			t.Errorf("%+v", merged)
		}
		ok(t, p.Delete(ctx, one))
		ok(t, p.Commit(ctx))
		if n, _, err := engine.Scalar[int](ctx, eng, engine.Text("SELECT count(*) FROM box")); n != 1 || err != nil {
			t.Errorf("%d boxes, error %v", n, err)
		}
		drafts := []*Shelf{two}
		ok(t, proxy.Load(ctx, p, drafts, "Boxes"))
		ok(t, p.Rollback(ctx))
	})
}

func TestOthersChanges(t *testing.T) {
	onEachKind(t, func(t *testing.T, eng *engine.Engine, p *proxy.Proxy) {
		ctx := t.Context()
		b := kept(t, p, "one").Boxes[0]
		if _, err := eng.Execute(ctx, engine.Text("UPDATE box SET version = version + 1")); err != nil {
			t.Fatal(err)
		}
		b.Label = "mine"
		var stale *orm.StaleDataError
		if err := p.Commit(ctx).Await(ctx); !errors.As(err, &stale) || stale.Table != "box" {
			t.Errorf("%v", err)
		}
		ok(t, p.Rollback(ctx))
		ok(t, p.Refresh(ctx, b))
		b.Label = "mine"
		ok(t, p.Commit(ctx))
		if b.Version != 3 {
			t.Errorf("the version is %d", b.Version)
		}
	})
}
