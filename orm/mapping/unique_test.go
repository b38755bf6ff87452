package mapping_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type paper struct {
	ID    int64
	Title string  `orm:",unique,type:varchar(6)"`
	Shelf string  `orm:",unique:place"`
	Place int8    `orm:",unique:place"`
	Sheet uint16  `orm:",unique:place"`
	Nick  *string `orm:",unique:other"`
	Owner int64   `orm:",references:owner"`
	Fine  bool
	Ratio float32
	Mark  string `orm:",type:uuid"`
	Code  [16]byte
	At    time.Time
}

func TestUniques(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[paper]())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range append(table.Uniques(), table.Primary()) {
		line := u.Group + ":"
		for _, c := range u.Columns {
			line += " " + c.Name
		}
		got = append(got, line)
	}
	if want := []string{": title", "place: shelf place sheet", "other: nick", ": id"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A value for the time being is another one each time, and fits.
func TestTemporaryValues(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[paper]())
	if err != nil {
		t.Fatal(err)
	}
	nick := "nick"
	was := paper{Title: "ab", Shelf: "a long name of a shelf", Nick: &nick, Mark: "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}
	one, two := was, was
	for name, want := range map[string]bool{
		"title": true, "shelf": true, "place": true, "sheet": true, "nick": true, "ratio": true, "mark": true, "code": true, "at": true, "id": true,
		"owner": false, "fine": false,
	} {
		c := table.Column(name)
		if c.SetTemporary(unsafe.Pointer(&one)) != want || c.SetTemporary(unsafe.Pointer(&two)) != want {
			t.Errorf("%s has a temporary value: %t", name, !want)
		}
		if want && name != "place" && c.Equal(unsafe.Pointer(&was), unsafe.Pointer(&one)) {
			t.Errorf("%s is as it was", name)
		}
	}
	if len(one.Title) != 6 || len(one.Shelf) != len(was.Shelf) || one.Nick != nil || one.Title == two.Title || one.Code == two.Code || len(one.Mark) != 36 ||
		one.Place >= 0 || one.At.Year() < 1970 || one.At.Year() > 2037 || one.Ratio > 0 {
		t.Errorf("%+v", one)
	}
}

type document struct {
	ID   int64
	Meta struct {
		At    time.Time
		Ratio float64
		Raw   json.RawMessage
		Parts []struct{ At *time.Time }
	} `orm:",json"`
	Tree map[string]any `orm:",json"`
	Nums []any          `orm:",json"`
}

// What is kept as JSON is the same if it says the same.
func TestJSONThatSaysTheSame(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[document]())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	there := at.In(time.FixedZone("there", 3600))
	var a, b document
	a.Meta.At, b.Meta.At = at, there
	a.Meta.Ratio, b.Meta.Ratio = math.NaN(), math.NaN()
	a.Meta.Raw, b.Meta.Raw = json.RawMessage(`{"a":1,"b":2}`), json.RawMessage(`{"b": 2, "a": 1}`)
	a.Meta.Parts, b.Meta.Parts = []struct{ At *time.Time }{{&at}}, []struct{ At *time.Time }{{&there}}
	a.Tree, b.Tree = map[string]any{"n": 1, "l": []int{1}}, map[string]any{"n": 1.0, "l": []any{1.0}}
	a.Nums, b.Nums = []any{1, "x"}, []any{1.0, "x"}
	if table.Changed(unsafe.Pointer(&a), unsafe.Pointer(&b)) {
		t.Error("the same counts as a change: ", table.AppendChanged(nil, unsafe.Pointer(&a), unsafe.Pointer(&b)))
	}
	for name, change := range map[string]func(d *document){
		"a time":      func(d *document) { d.Meta.At = at.Add(1) },
		"a number":    func(d *document) { d.Tree = map[string]any{"n": 2.0, "l": []any{1.0}} },
		"nil":         func(d *document) { d.Tree = nil },
		"the raw one": func(d *document) { d.Meta.Raw = json.RawMessage(`{}`) },
		"one more":    func(d *document) { d.Nums = append(d.Nums, nil) },
		"a part":      func(d *document) { d.Meta.Parts[0].At = nil },
	} {
		c := b
		change(&c)
		if !table.Changed(unsafe.Pointer(&a), unsafe.Pointer(&c)) {
			t.Errorf("%s is no change", name)
		}
		if name == "a part" {
			b.Meta.Parts[0].At = &there
		}
	}
}

func TestUUIDsInAnyForm(t *testing.T) {
	t.Parallel()
	const want = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
	for _, form := range []string{want, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}", "urn:uuid:A0EEBC999C0B4EF8BB6D6BB9BD380A11"} {
		if got := mapping.CanonicalUUID(form); got != want {
			t.Errorf("%s is %s", form, got)
		}
	}
	if got := mapping.CanonicalUUID("No UUID"); got != "no uuid" {
		t.Errorf("%q", got)
	}
}
