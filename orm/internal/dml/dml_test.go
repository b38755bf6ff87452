package dml_test

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type part struct {
	ID      int64
	Name    string
	Version int `orm:",version"`
	Whole   *int64
	Bins    []*bin `orm:"rel:many-to-many,through:stock.part_bin"`
}

type bin struct{ ID int64 }

var (
	postgres = &engine.Dialect{Placeholder: backend.Dollar, Quote: '"', NativeScan: true}
	mysql    = &engine.Dialect{Placeholder: backend.Question, Quote: '`', Features: backend.Features{Upsert: backend.UpsertOnDuplicateKey}}
)

func TestTexts(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[part]())
	if err != nil {
		t.Fatal(err)
	}
	p, m := dml.For(postgres, table), dml.For(mysql, table)
	r := table.Relation("Bins")
	shape := p.InsertShape([]int{1, 2}, []int{0})
	for got, want := range map[string]string{
		shape.Text:                                `INSERT INTO "part" ("name", "version") VALUES ($1, $2) RETURNING "id"`,
		p.Insert(shape, 2):                        `INSERT INTO "part" ("name", "version") VALUES ($1, $2), ($3, $4) RETURNING "id"`,
		m.InsertShape(nil, nil).Text:              "INSERT INTO `part` () VALUES ()",
		p.UpdateShape([]int{1, 2}, nil).Text:      `UPDATE "part" SET "name" = $1, "version" = $2 WHERE "id" = $3 AND "version" = $4`,
		p.Set([]int{3}):                           `UPDATE "part" SET "whole" = $1 WHERE "id" = $2`,
		p.Delete():                                `DELETE FROM "part" WHERE "id" = $1 AND "version" = $2`,
		m.ByKey(" FOR UPDATE"):                    "SELECT `id`, `name`, `version`, `whole` FROM `part` WHERE `id` = ? FOR UPDATE",
		dml.InsertAssociation(postgres, r, false): `INSERT INTO "stock"."part_bin" ("part_id", "bin_id") VALUES ($1, $2)`,
		dml.InsertAssociation(postgres, r, true):  `INSERT INTO "stock"."part_bin" ("part_id", "bin_id") VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		dml.InsertAssociation(mysql, r, true):     "INSERT INTO `stock`.`part_bin` (`part_id`, `bin_id`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `part_id` = `part_id`",
		dml.DeleteAssociation(mysql, r, true):     "DELETE FROM `stock`.`part_bin` WHERE `part_id` = ?",
		dml.DeleteAssociation(postgres, r, false): `DELETE FROM "stock"."part_bin" WHERE "part_id" = $1 AND "bin_id" = $2`,
	} {
		if got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	if p.InsertShape([]int{1, 2}, []int{0}) != shape {
		t.Error("a shape was made twice")
	}
}

func TestArgs(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[part]())
	if err != nil {
		t.Fatal(err)
	}
	obj := part{ID: 7, Name: "nut", Version: 3}
	var a dml.Args
	a.Room(2, 3)
	a.AddAt(unsafe.Pointer(&obj), table, []int{1, 3})
	first := a.Take()
	a.AddRow(table, unsafe.Pointer(&obj))
	second := a.Take()
	if !reflect.DeepEqual(first, []any{"nut", nil}) || !reflect.DeepEqual(second, []any{int64(7), int64(3)}) || a.Err != nil {
		t.Errorf("%v %v %v", first, second, a.Err)
	}
	if cap(first) != len(first) {
		t.Error("the arguments of one statement could run into those of the next")
	}
}
