package orm_test

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// merge merges a shelf that came from elsewhere, alone or with some of its
// items and a new one.
func (w *world) merge(t *rapid.T) {
	w.refresh()
	id := rapid.Int64Range(1, 3).Draw(t, "shelf")
	from := &Shelf{ID: id, Label: w.word()}
	w.m.flush() // Merge does
	row, there := w.m.now.shelves[id]
	if !there {
		row = w.row(0, "")
	}
	w.m.now.shelves[id] = renamed(row, from.Label)
	if rapid.Bool().Draw(t, "with items") {
		from.Items = []*Item{}
		added := rapid.Int64Range(1, 5).Draw(t, "new item")
		fresh := w.m.now.items[added].object == 0
		for _, item := range slices.Sorted(maps.Keys(w.m.now.items)) {
			if w.m.now.items[item].shelf != id {
				continue
			}
			if !rapid.Bool().Draw(t, "keep") {
				w.m.now.deleteItem(item)
				delete(w.items, item)
				continue
			}
			from.Items = append(from.Items, &Item{ID: item, Word: w.word()})
			w.m.now.items[item] = renamed(w.m.now.items[item], w.lastWord())
		}
		if fresh {
			from.Items = append(from.Items, &Item{ID: added, Word: w.word()})
			w.m.now.items[added] = w.row(id, w.lastWord())
		}
	}
	got, err := orm.Merge(w.ctx, w.s, from)
	expect(t, err)
	if there && got != w.shelves[id] || got == from {
		t.Fatalf("merged into %p, want %p", got, w.shelves[id])
	}
	w.readAll()
}

// expunge lets go of a shelf and its items, after a flush, and reads them again.
func (w *world) expunge(t *rapid.T) {
	w.refresh()
	w.flush(t)
	id := pick(t, "shelf", w.m.now.shelves)
	for item, row := range w.m.now.items {
		if row.shelf == id {
			expect(t, w.s.Expunge(w.items[item]))
			delete(w.items, item)
		}
	}
	gone := w.shelves[id]
	expect(t, w.s.Expunge(gone))
	delete(w.shelves, id)
	w.reread = true
	gone.Label = "nobody hears of it"
	for _, m := range w.marks { // which hold what was let go
		expect(t, w.s.Expire(m))
	}
	w.readAll()
	if w.shelves[id] == gone {
		t.Fatal("an object that was let go is back")
	}
}

// expungeAll lets go of all, after a flush, and reads it again.
func (w *world) expungeAll(t *rapid.T) {
	w.flush(t)
	w.s.ExpungeAll()
	w.forget()
	w.reread = true
	w.readAll()
}

// expire expires an item or a shelf, or refreshes it, after a flush.
func (w *world) expire(t *rapid.T) {
	w.flush(t)
	shelf, item := w.shelves[pick(t, "shelf", w.m.now.shelves)], w.items[pick(t, "item", w.m.now.items)]
	switch rapid.SampledFrom([]string{"shelf", "item", "all", "refresh a shelf", "refresh an item"}).Draw(t, "what") {
	case "shelf":
		expect(t, w.s.Expire(shelf))
	case "item":
		expect(t, w.s.Expire(item))
	case "all":
		w.s.ExpireAll()
	case "refresh a shelf":
		expect(t, w.s.Refresh(w.ctx, shelf))
	case "refresh an item":
		expect(t, w.s.Refresh(w.ctx, item, orm.Fields("Word", "Marks")))
	}
	w.stale = true // relations of what is expired do not follow
}

func (w *world) get(t *rapid.T) {
	id := rapid.Int64Range(1, 3).Draw(t, "shelf")
	known := w.shelves[id]
	if old := w.m.flushed.shelves[id].object; old != 0 && old != w.m.now.shelves[id].object {
		t.Skip("it is marked, and found until a flush")
	}
	if w.m.flushed.shelves[id].object == 0 || w.s.IsExpired(known) {
		w.m.flush() // Get does
	}
	got, err := orm.Get[Shelf](w.ctx, w.s, id)
	expect(t, err)
	if got != known {
		t.Fatalf("the object of %d is %p, want %p", id, got, known)
	}
}

func (w *world) flush(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	w.m.flush()
}

func (w *world) begin(t *rapid.T) {
	if len(w.nested) == 2 {
		t.Skip("there are two")
	}
	n, err := w.s.BeginNested(w.ctx)
	expect(t, err)
	w.m.begin()
	w.nested = append(w.nested, n)
}

func (w *world) innermost(t *rapid.T) (n *orm.Nested) {
	if len(w.nested) == 0 {
		t.Skip("there is none")
	}
	n, w.nested = w.nested[len(w.nested)-1], w.nested[:len(w.nested)-1]
	return n
}

func (w *world) release(t *rapid.T) {
	expect(t, w.innermost(t).Commit(w.ctx))
	w.m.release()
}

func (w *world) undo(t *rapid.T) {
	expect(t, w.innermost(t).Rollback(w.ctx))
	w.m.rollback(len(w.m.saved) - 1)
	w.rolledBack(t)
}

func (w *world) commit(t *rapid.T) {
	expect(t, w.s.Commit(w.ctx))
	w.m.commit()
	w.nested, w.reread = nil, false
	w.agree(t)
}

func (w *world) rollback(t *rapid.T) {
	expect(t, w.s.Rollback(w.ctx))
	w.m.rollback(0)
	w.nested = nil
	w.rolledBack(t)
	w.reread = false
	if !w.stale {
		w.agree(t)
	}
}

// rolledBack drops the objects that have no row any more. Those whose rows are
// back are read, as are the relations; or some time later.
func (w *world) rolledBack(t *rapid.T) {
	same := true
	for _, id := range slices.Sorted(maps.Keys(w.m.now.shelves)) {
		same = same && w.shelves[id] != nil && w.s.Contains(w.shelves[id])
	}
	for id := range w.m.now.items {
		same = same && w.items[id] != nil && w.s.Contains(w.items[id])
	}
	for id := range w.m.now.marks {
		same = same && w.marks[id] != nil && w.s.Contains(w.marks[id])
	}
	drop(w.s, w.shelves, w.m.now.shelves)
	drop(w.s, w.items, w.m.now.items)
	drop(w.s, w.marks, w.m.now.marks)
	w.stale = true
	if !same || w.reread || rapid.Bool().Draw(t, "read at once") {
		w.refresh()
	}
}

// drop forgets objects that the session has let go, or that have no row.
func drop[T any](s *orm.Session, held map[int64]*T, rows map[int64]modelRow) {
	maps.DeleteFunc(held, func(id int64, obj *T) bool { return rows[id].object == 0 || !s.Contains(obj) })
}

// refresh reads all if the objects' relations are not those of the rows.
func (w *world) refresh() {
	if w.stale {
		w.readAll()
	}
}

// readAll reads everything, and compares objects with the model.
func (w *world) readAll() {
	w.Helper()
	shelves, err := orm.From[Shelf]().OrderBy("id").With("Items.Marks", "Items.Shelf").All(w.ctx, w.s)
	expect(w.T, err)
	marks, err := orm.From[Mark]().OrderBy("id").With("Items").All(w.ctx, w.s)
	expect(w.T, err)
	w.m.flush()
	w.stale = false
	before := *w
	w.forget()
	got := newTables()
	for _, sh := range shelves {
		w.shelves[sh.ID] = sh
		got.shelves[sh.ID] = modelRow{word: sh.Label, version: sh.Version}
		for _, it := range there(w.s, sh.Items) {
			w.items[it.ID] = it
			got.items[it.ID] = modelRow{word: it.Word, shelf: it.ShelfID, version: it.Version}
			if it.Shelf != sh || it.ShelfID != sh.ID {
				w.Fatalf("item %d is on %p (%d), want %p (%d)", it.ID, it.Shelf, it.ShelfID, sh, sh.ID)
			}
			for _, m := range there(w.s, it.Marks) {
				got.pairs[[2]int64{it.ID, m.ID}] = true
			}
		}
	}
	pairs := map[[2]int64]bool{}
	for _, m := range marks {
		w.marks[m.ID] = m
		got.marks[m.ID] = modelRow{word: m.Word}
		for _, it := range there(w.s, m.Items) {
			pairs[[2]int64{it.ID, m.ID}] = true
		}
	}
	w.compare("the objects", got)
	if !maps.Equal(pairs, w.m.now.pairs) {
		w.Fatalf("the marks hold %v, want %v", pairs, w.m.now.pairs)
	}
	kept(w.T, before.shelves, w.shelves)
	kept(w.T, before.items, w.items)
	kept(w.T, before.marks, w.marks)
}

// there leaves out objects whose rows are deleted: relations hold them until
// they are read again.
func there[T any](s *orm.Session, objs []*T) []*T {
	return slices.DeleteFunc(slices.Clone(objs), func(obj *T) bool { return !s.Contains(obj) })
}

// kept makes sure that rows have the objects they had.
func kept[T any](t *rapid.T, before, now map[int64]*T) {
	for id, obj := range before {
		if now[id] != obj {
			t.Fatalf("row %d has the object %p %+v, want %p %+v", id, now[id], now[id], obj, obj)
		}
	}
}

// agree compares the database with the model, after a commit or a rollback, and
// then the objects.
func (w *world) agree(t *rapid.T) {
	expect(t, w.s.Commit(w.ctx)) // lets go of SQLite's one writer
	got := newTables()
	for what, to := range map[string]map[int64]modelRow{
		"SELECT id, label, 0, version FROM shelf": got.shelves, "SELECT id, word, shelf_id, version FROM item": got.items,
		"SELECT id, word, 0, 0 FROM mark": got.marks,
	} {
		res, err := w.db.Execute(w.ctx, engine.Text(what))
		expect(t, err)
		for row := range res.Iter() {
			var id int64
			var r modelRow
			expect(t, row.Scan(&id, &r.word, &r.shelf, &r.version))
			to[id] = r
		}
	}
	res, err := w.db.Execute(w.ctx, engine.Text("SELECT item_id, mark_id FROM item_mark"))
	expect(t, err)
	for row := range res.Iter() {
		var pair [2]int64
		expect(t, row.Scan(&pair[0], &pair[1]))
		got.pairs[pair] = true
	}
	w.compare("the rows", got)
	w.readAll()
}

// compare compares tables with what they should be.
func (w *world) compare(what string, got tables) {
	w.Helper()
	want := w.m.now
	for name, t := range map[string][2]map[int64]modelRow{
		"shelves": {got.shelves, want.shelves}, "items": {got.items, want.items}, "marks": {got.marks, want.marks},
	} {
		plain := map[int64]modelRow{}
		for id, row := range t[1] {
			plain[id] = row.as()
		}
		if !maps.Equal(t[0], plain) {
			w.Fatalf("%s: %s are %v, want %v", what, name, t[0], plain)
		}
	}
	if !maps.Equal(got.pairs, want.pairs) {
		w.Fatalf("%s: pairs are %v, want %v", what, got.pairs, want.pairs)
	}
}
