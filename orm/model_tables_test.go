package orm_test

import (
	"context"
	"maps"

	"github.com/sessionproxy/sessionproxy/orm"
)

// asking in a context makes the hook of a shelf ask the database.
type asking struct{}

// BeforeUpdate reads in the middle of a flush, if it is asked to.
func (sh *Shelf) BeforeUpdate(ctx context.Context, s *orm.Session) error {
	if ctx.Value(asking{}) == nil {
		return nil
	}
	_, err := orm.From[Mark]().Where("id > ?", sh.ID).All(ctx, s)
	return err
}

// Shelf owns its items.
type Shelf struct {
	ID      int64 `orm:",pk,noauto"`
	Label   string
	Version int     `orm:",version"`
	Items   []*Item `orm:"rel:has-many,cascade:save+merge+delete+orphan"`
}

// Item is on one shelf and has marks.
type Item struct {
	ID      int64 `orm:",pk,noauto"`
	ShelfID int64 `orm:",references:shelf"`
	Word    string
	Version int     `orm:",version"`
	Shelf   *Shelf  `orm:"rel:belongs-to"`
	Marks   []*Mark `orm:"rel:many-to-many,through:item_mark"`
}

// Mark is on any items.
type Mark struct {
	ID    int64 `orm:",pk,noauto"`
	Word  string
	Items []*Item `orm:"rel:many-to-many,through:item_mark"`
}

// modelRow is a row of any of the three. object tells objects apart that have
// the row one after the other.
type modelRow struct {
	word            string
	shelf           int64 // of an item
	version, object int
}

// as returns the row as it is compared with the database.
func (r modelRow) as() modelRow { r.object = 0; return r }

// tables are what the rows should be.
type tables struct {
	shelves, items, marks map[int64]modelRow
	pairs                 map[[2]int64]bool // item and mark
}

func newTables() tables {
	return tables{map[int64]modelRow{}, map[int64]modelRow{}, map[int64]modelRow{}, map[[2]int64]bool{}}
}

func (t tables) clone() tables {
	return tables{maps.Clone(t.shelves), maps.Clone(t.items), maps.Clone(t.marks), maps.Clone(t.pairs)}
}

func (t tables) deleteItem(id int64) {
	delete(t.items, id)
	maps.DeleteFunc(t.pairs, func(p [2]int64, _ bool) bool { return p[0] == id })
}

func (t tables) deleteMark(id int64) {
	delete(t.marks, id)
	maps.DeleteFunc(t.pairs, func(p [2]int64, _ bool) bool { return p[1] == id })
}

func (t tables) deleteShelf(id int64) {
	delete(t.shelves, id)
	for item, row := range t.items {
		if row.shelf == id {
			t.deleteItem(item)
		}
	}
}

// relationsModel is a naive session: what the objects say, what was flushed of
// it, and what each rollback goes back to.
type relationsModel struct {
	now, flushed tables
	saved        []tables // what is committed, and what each savepoint found
	objects      int
}

func newRelationsModel() *relationsModel {
	return &relationsModel{now: newTables(), flushed: newTables(), saved: []tables{newTables()}}
}

// flush gives versions: a row that differs has one more.
func (m *relationsModel) flush() {
	for _, t := range [][2]map[int64]modelRow{{m.now.shelves, m.flushed.shelves}, {m.now.items, m.flushed.items}} {
		for id, row := range t[0] {
			old := t[1][id]
			if row.version = old.version; row != old {
				row.version++
			}
			t[0][id] = row
		}
	}
	m.flushed = m.now.clone()
}

func (m *relationsModel) begin() { m.flush(); m.saved = append(m.saved, m.flushed.clone()) }

// release ends the innermost savepoint.
func (m *relationsModel) release() { m.flush(); m.saved = m.saved[:len(m.saved)-1] }

// rollback goes back to what the n'th of saved is, and keeps what n stand.
func (m *relationsModel) rollback(n int) {
	m.now, m.flushed = m.saved[n].clone(), m.saved[n].clone()
	m.saved = m.saved[:max(n, 1)]
}

func (m *relationsModel) commit() {
	m.flush()
	m.saved = []tables{m.flushed.clone()}
}
