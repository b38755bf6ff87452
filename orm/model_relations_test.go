package orm_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// world is a session and a model of what it should do.
type world struct {
	*rapid.T
	ctx     context.Context
	db      database
	s       *orm.Session
	m       *relationsModel
	nested  []*orm.Nested
	shelves map[int64]*Shelf
	items   map[int64]*Item
	marks   map[int64]*Mark
	reread  bool // objects were read in this transaction whose versions may be undone
	stale   bool // a rollback has left relations in the objects that are not those of the rows
	words   int
}

// TestRandomGraphsAgreeWithAModel runs random sequences of operations on
// objects that own each other, are linked with each other and have versions.
// Whenever all is read, the objects agree with the model, and after each commit
// and rollback so does the database.
func TestRandomGraphsAgreeWithAModel(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+t.TempDir()+"/graphs.db")
	check(t, orm.CreateAll(t.Context(), db, (*Shelf)(nil), (*Item)(nil), (*Mark)(nil)))
	rapid.Check(t, func(t *rapid.T) {
		w := &world{T: t, ctx: context.WithValue(context.Background(), asking{}, true), db: db, m: newRelationsModel()}
		for _, table := range []string{"item_mark", "item", "mark", "shelf"} {
			expect(t, second(db.Execute(w.ctx, engine.Text("DELETE FROM "+table))))
		}
		w.forget()
		var opts []orm.Option
		if rapid.Bool().Draw(t, "without expiry") {
			opts = append(opts, orm.WithoutExpireOnCommit())
		}
		w.s = orm.NewSession(db.Engine, opts...)
		defer w.s.Close(w.ctx)
		t.Repeat(map[string]func(*rapid.T){
			"add a shelf": w.addShelf, "add an item": w.addItem, "add a mark": w.addMark,
			"rename": w.rename, "move": w.move, "take out": w.takeOut, "link": w.link, "unlink": w.unlink,
			"delete a shelf": w.deleteShelf, "delete an item": w.deleteItem, "delete a mark": w.deleteMark,
			"give away and delete": w.giveAndDelete, "delete and add again": w.addAgain,
			"merge": w.merge, "expunge": w.expunge, "expunge all": w.expungeAll, "expire": w.expire, "get": w.get, "query": func(*rapid.T) { w.readAll() },
			"flush": w.flush, "begin": w.begin, "release": w.release, "undo": w.undo, "commit": w.commit, "rollback": w.rollback,
		})
		w.commit(t)
		expect(t, w.s.Close(w.ctx))
	})
}

func (w *world) forget() {
	w.shelves, w.items, w.marks = map[int64]*Shelf{}, map[int64]*Item{}, map[int64]*Mark{}
}

// word returns a word that nobody has had: an expired object that is given the
// value it has is not changed by it.
func (w *world) word() string {
	w.words++
	return w.lastWord()
}

func (w *world) lastWord() string { return fmt.Sprint("word ", w.words) }

func (w *world) row(shelf int64, word string) modelRow {
	w.m.objects++
	return modelRow{word: word, shelf: shelf, object: w.m.objects}
}

// pick draws one of the keys of a table, or none.
func pick[V any](t *rapid.T, what string, from map[int64]V) int64 {
	if len(from) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, what)
}

// free draws a key that no row of a table has.
func free(t *rapid.T, what string, upTo int64, taken map[int64]modelRow) int64 {
	id := rapid.Int64Range(1, upTo).Draw(t, what)
	if _, there := taken[id]; there {
		t.Skip("it is there")
	}
	return id
}

func (w *world) addShelf(t *rapid.T) {
	id := free(t, "shelf", 3, w.m.now.shelves)
	sh := &Shelf{ID: id, Label: w.word()}
	w.m.now.shelves[id], w.shelves[id] = w.row(0, sh.Label), sh
	expect(t, w.s.Add(sh))
}

func (w *world) addMark(t *rapid.T) {
	id := free(t, "mark", 3, w.m.now.marks)
	m := &Mark{ID: id, Word: w.word()}
	w.m.now.marks[id], w.marks[id] = w.row(0, m.Word), m
	expect(t, w.s.Add(m))
}

// addItem puts an item on a shelf, by one side of the relation or the other.
func (w *world) addItem(t *rapid.T) {
	w.refresh()
	on, id := pick(t, "shelf", w.m.now.shelves), free(t, "item", 5, w.m.now.items)
	sh, it := w.shelves[on], &Item{ID: id, Word: w.word()}
	w.m.now.items[id], w.items[id] = w.row(on, it.Word), it
	switch rapid.SampledFrom([]string{"append", "append and add", "point"}).Draw(t, "by") {
	case "append":
		sh.Items = append(sh.Items, it)
		expect(t, w.s.Add(sh))
	case "append and add":
		sh.Items = append(sh.Items, it)
		expect(t, w.s.AddAll(it, sh))
	case "point":
		it.Shelf = sh
		expect(t, w.s.Add(it))
		w.flush(t) // which lets the shelf know
	}
}

func (w *world) rename(t *rapid.T) {
	word := w.word()
	switch rapid.SampledFrom([]string{"shelf", "item", "mark"}).Draw(t, "what") {
	case "shelf":
		id := pick(t, "shelf", w.m.now.shelves)
		w.shelves[id].Label, w.m.now.shelves[id] = word, renamed(w.m.now.shelves[id], word)
	case "item":
		id := pick(t, "item", w.m.now.items)
		w.items[id].Word, w.m.now.items[id] = word, renamed(w.m.now.items[id], word)
	case "mark":
		id := pick(t, "mark", w.m.now.marks)
		w.marks[id].Word, w.m.now.marks[id] = word, renamed(w.m.now.marks[id], word)
	}
}

func renamed(r modelRow, word string) modelRow {
	r.word = word
	return r
}

// without returns a list without an element.
func without[T any](list []*T, x *T) []*T {
	return slices.DeleteFunc(slices.Clone(list), func(y *T) bool { return x == y })
}

func (w *world) move(t *rapid.T) {
	w.refresh()
	id, to := pick(t, "item", w.m.now.items), pick(t, "shelf", w.m.now.shelves)
	row := w.m.now.items[id]
	if row.shelf == to {
		t.Skip("it is there")
	}
	from, it := w.shelves[row.shelf], w.items[id]
	from.Items = without(from.Items, it)
	w.shelves[to].Items = append(w.shelves[to].Items, it)
	var before *Shelf
	if old := w.m.flushed.items[id]; old.object == row.object {
		before = w.shelves[old.shelf]
	}
	if rapid.Bool().Draw(t, "both sides") || it.Shelf != before { // who has pointed once has to go on
		it.Shelf = w.shelves[to]
	}
	row.shelf = to
	w.m.now.items[id] = row
}

// takeOut makes an orphan.
func (w *world) takeOut(t *rapid.T) {
	w.refresh()
	id := pick(t, "item", w.m.now.items)
	sh := w.shelves[w.m.now.items[id].shelf]
	sh.Items = without(sh.Items, w.items[id])
	if old := w.m.flushed.items[id]; old.object != w.m.now.items[id].object || old.shelf != w.m.now.items[id].shelf {
		w.items[id].Shelf = nil // or it would still say whose it is
	}
	w.m.now.deleteItem(id)
	delete(w.items, id)
}

func (w *world) link(t *rapid.T) {
	w.refresh()
	i, m := pick(t, "item", w.m.now.items), pick(t, "mark", w.m.now.marks)
	if w.m.now.pairs[[2]int64{i, m}] {
		t.Skip("it is there")
	}
	w.m.now.pairs[[2]int64{i, m}] = true
	it, mark := w.items[i], w.marks[m]
	there := [2]bool{slices.Contains(it.Marks, mark), slices.Contains(mark.Items, it)}
	side := rapid.IntRange(0, 2).Draw(t, "side")
	if w.m.flushed.pairs[[2]int64{i, m}] { // its end is taken back, which one side alone can't do
		side = 2
	}
	if !there[0] && (side != 1 || there[1]) {
		it.Marks = append(it.Marks, mark)
	}
	if !there[1] && (side != 0 || there[0]) {
		mark.Items = append(mark.Items, it)
	}
}

func (w *world) unlink(t *rapid.T) {
	w.refresh()
	if len(w.m.now.pairs) == 0 {
		t.Skip("there is none")
	}
	pair := rapid.SampledFrom(slices.SortedFunc(maps.Keys(w.m.now.pairs), func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })).Draw(t, "pair")
	delete(w.m.now.pairs, pair)
	it, mark := w.items[pair[0]], w.marks[pair[1]]
	side := rapid.IntRange(0, 2).Draw(t, "side")
	if !w.m.flushed.pairs[pair] { // it is taken back, which one side alone can't do
		side = 2
	}
	there := [2]bool{slices.Contains(it.Marks, mark), slices.Contains(mark.Items, it)}
	if side != 1 || !there[1] {
		it.Marks = without(it.Marks, mark)
	}
	if side != 0 || !there[0] {
		mark.Items = without(mark.Items, it)
	}
}

// flushed makes sure that an object has a row, without which it can't be
// deleted.
func (w *world) hasRow(t *rapid.T, now, flushed modelRow) {
	if now.object != flushed.object {
		w.flush(t)
	}
}

func (w *world) deleteShelf(t *rapid.T) {
	w.refresh()
	id := pick(t, "shelf", w.m.now.shelves)
	w.hasRow(t, w.m.now.shelves[id], w.m.flushed.shelves[id])
	expect(t, w.s.Delete(w.ctx, w.shelves[id]))
	w.m.now.deleteShelf(id)
	delete(w.shelves, id)
	maps.DeleteFunc(w.items, func(id int64, _ *Item) bool { return w.m.now.items[id].object == 0 })
}

func (w *world) deleteItem(t *rapid.T) {
	w.refresh()
	id := pick(t, "item", w.m.now.items)
	w.hasRow(t, w.m.now.items[id], w.m.flushed.items[id])
	expect(t, w.s.Delete(w.ctx, w.items[id]))
	if sh := w.shelves[w.m.now.items[id].shelf]; rapid.Bool().Draw(t, "and taken out") {
		sh.Items = without(sh.Items, w.items[id])
	}
	w.m.now.deleteItem(id)
	delete(w.items, id)
}

func (w *world) deleteMark(t *rapid.T) {
	w.refresh()
	id := pick(t, "mark", w.m.now.marks)
	w.hasRow(t, w.m.now.marks[id], w.m.flushed.marks[id])
	expect(t, w.s.Delete(w.ctx, w.marks[id]))
	w.m.now.deleteMark(id)
	delete(w.marks, id)
}

// giveAndDelete gives an item to another shelf, by one side or both, and deletes
// the one it was on.
func (w *world) giveAndDelete(t *rapid.T) {
	w.refresh()
	w.flush(t)
	id, to := pick(t, "item", w.m.now.items), pick(t, "shelf", w.m.now.shelves)
	row := w.m.now.items[id]
	if row.shelf == to {
		t.Skip("it is there")
	}
	from, it := w.shelves[row.shelf], w.items[id]
	first := rapid.Bool().Draw(t, "deleted first")
	if first {
		expect(t, w.s.Delete(w.ctx, from))
	}
	switch rapid.SampledFrom([]string{"pointer", "slice", "both", "foreign key"}).Draw(t, "by") {
	case "pointer":
		it.Shelf = w.shelves[to]
	case "slice":
		w.shelves[to].Items = append(w.shelves[to].Items, it)
	case "both":
		it.Shelf, w.shelves[to].Items = w.shelves[to], append(w.shelves[to].Items, it)
	case "foreign key":
		it.ShelfID = to
	}
	if rapid.Bool().Draw(t, "taken out") {
		from.Items = without(from.Items, it)
	}
	if !first {
		expect(t, w.s.Delete(w.ctx, from))
	}
	old := row.shelf
	row.shelf = to
	w.m.now.items[id] = row
	w.m.now.deleteShelf(old)
	delete(w.shelves, old)
	maps.DeleteFunc(w.items, func(id int64, _ *Item) bool { return w.m.now.items[id].object == 0 })
	w.flush(t) // which makes both sides say the same
}

// addAgain deletes a shelf, and then not.
func (w *world) addAgain(t *rapid.T) {
	w.refresh()
	id := pick(t, "shelf", w.m.now.shelves)
	w.hasRow(t, w.m.now.shelves[id], w.m.flushed.shelves[id])
	expect(t, w.s.Delete(w.ctx, w.shelves[id]))
	expect(t, w.s.Add(w.shelves[id]))
}
