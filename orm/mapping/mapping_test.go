package mapping_test

import (
	"database/sql"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type Audit struct {
	Created time.Time `orm:",default"`
	By      *string
}

type Order struct {
	ID       int64
	Customer int64  `orm:"customer_id,references:shop.customers.id"`
	Parent   *int64 `orm:"parent_id,references:order"`
	Total    float64
	Paid     bool
	Code     string `orm:"code,unique"`
	Tags     []string
	Meta     map[string]any `orm:",json"`
	Raw      []byte
	Sum      float64 `orm:",generated"`
	Version  int     `orm:",version"`
	Note     sql.NullString
	Audit
	Skipped string `orm:"-"`
	hidden  int
}

func of[T any](t *testing.T) *mapping.Table {
	t.Helper()
	table, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestAStructIsATable(t *testing.T) {
	t.Parallel()
	table := of[*Order](t)
	var names []string
	for i, c := range table.Columns {
		names = append(names, c.Name)
		if c.Index != i || table.Column(c.Name) != c {
			t.Errorf("column %s is not where it says", c.Name)
		}
	}
	want := []string{"id", "customer_id", "parent_id", "total", "paid", "code", "tags", "meta", "raw", "sum", "version", "note", "created", "by"}
	if !slices.Equal(names, want) || table.FullName() != "order" {
		t.Fatalf("%s has %v, want %v", table.FullName(), names, want)
	}
	column := table.Column
	if len(table.Key) != 1 || table.Key[0] != column("id") || !column("id").Auto || table.Version != column("version") {
		t.Error("key or version are wrong")
	}
	if r := column("customer_id").References; r.Table != "shop.customers" || r.Column != "id" {
		t.Errorf("customer_id refers to %+v", r)
	}
	if r := column("parent_id").References; r.Table != "order" || r.Column != "id" || !column("parent_id").Nullable {
		t.Errorf("parent_id refers to %+v", r)
	}
	if !column("code").Unique || !column("tags").Array || !column("meta").JSON || !column("sum").Generated ||
		!column("created").Default || !column("note").Nullable || column("total").Nullable {
		t.Error("an option was lost")
	}
	if again := of[Order](t); again != table {
		t.Error("a type has two tables")
	}
}

type composite struct {
	Tenant string `orm:",pk"`
	N      int64  `orm:",pk"`
}

func (*composite) TableName() string { return "app.rows" }

func TestKeysOfSeveralColumns(t *testing.T) {
	t.Parallel()
	table := of[composite](t)
	if table.Schema != "app" || table.Name != "rows" || table.FullName() != "app.rows" {
		t.Errorf("the table is %s", table.FullName())
	}
	if len(table.Key) != 2 || table.Key[0].Name != "tenant" || table.Key[1].Auto {
		t.Errorf("the key is %v", table.Key)
	}
}

func TestMistakesNameTypeAndField(t *testing.T) {
	t.Parallel()
	for want, typ := range map[string]reflect.Type{
		"is no struct":                reflect.TypeFor[int](),
		"no field takes a column":     reflect.TypeFor[struct{ x int }](),
		"has no name":                 reflect.TypeFor[struct{ ID int }](),
		"has no primary key":          reflect.TypeFor[noKey](),
		"F.Code: is in the key and c": reflect.TypeFor[nullKey](),
		"F.Code: of type float64":     reflect.TypeFor[floatKey](),
		"F.Code: has the option auto": reflect.TypeFor[autoText](),
		"several columns, which no":   reflect.TypeFor[autoOfTwo](),
		"a second version":            reflect.TypeFor[twoVersions](),
		"a version of type string":    reflect.TypeFor[textVersion](),
		`the option "pkk" is unknown`: reflect.TypeFor[unknownOption](),
		"has no value: want ref":      reflect.TypeFor[noReference](),
		"takes no value":              reflect.TypeFor[valued](),
		"exclude each other":          reflect.TypeFor[autoAndNot](),
		`has the column "a", as A`:    reflect.TypeFor[twice](),
		"no column keeps a chan":      reflect.TypeFor[channel](),
		"embed the struct itself":     reflect.TypeFor[pointed](),
		"never written":               reflect.TypeFor[generatedKey](),
	} {
		_, err := mapping.Of(typ)
		e, ok := errors.AsType[*mapping.Error](err)
		if !ok || e.Type != typ || !strings.Contains(strings.ReplaceAll(err.Error(), "mapping_test.", ""), strings.TrimPrefix(want, "F.")) {
			t.Errorf("%v: %v, want an error with %q", typ, err, want)
		}
	}
	if _, err := mapping.Of(nil); err == nil {
		t.Error("nil has a table")
	}
}

type (
	noKey   struct{ Name string }
	nullKey struct {
		Code *string `orm:",pk"`
	}
	floatKey struct {
		Code float64 `orm:",pk"`
	}
	autoText struct {
		Code string `orm:",auto"`
	}
	autoOfTwo struct {
		A int64 `orm:",auto"`
		B int64 `orm:",pk"`
	}
	twoVersions struct {
		ID, A int64 `orm:",version"`
	}
	textVersion struct {
		ID int64
		V  string `orm:",version"`
	}
	unknownOption struct {
		ID int64 `orm:",pkk"`
	}
	noReference struct {
		ID int64
		B  int64 `orm:",references:"`
	}
	valued struct {
		ID int64 `orm:",pk:1"`
	}
	autoAndNot struct {
		ID int64 `orm:",auto,noauto"`
	}
	twice struct {
		ID, A int64
		B     int64 `orm:"a"`
	}
	channel struct {
		ID int64
		C  chan int
	}
	pointed struct {
		*Audit
		ID int64
	}
	generatedKey struct {
		ID int64 `orm:",pk,generated"`
	}
)

func at[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

func TestValuesAreThoseOfAStatement(t *testing.T) {
	t.Parallel()
	table := of[Order](t)
	parent := int64(9)
	o := &Order{
		ID: 7, Parent: &parent, Total: 1.5, Paid: true, Code: "c", Tags: []string{"a", "b"},
		Meta: map[string]any{"k": 1}, Version: 3, Note: sql.NullString{String: "n", Valid: true},
	}
	want := map[string]any{
		"id": int64(7), "parent_id": int64(9), "total": 1.5, "paid": true, "code": "c", "tags": `["a","b"]`,
		"meta": `{"k":1}`, "raw": nil, "version": int64(3), "by": nil,
	}
	for name, v := range want {
		if got, err := table.Column(name).Value(at(o), false); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s is %#v, %v, want %#v", name, got, err, v)
		}
	}
	if got, err := table.Column("tags").Value(at(o), true); err != nil || !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("tags of a database with arrays are %#v, %v", got, err)
	}
	if got, err := table.Column("note").Value(at(o), true); err != nil || got != o.Note {
		t.Errorf("note is %#v, %v", got, err)
	}
	o.Meta["bad"] = func() {}
	if _, err := table.Column("meta").Value(at(o), true); err == nil || !strings.Contains(err.Error(), "Meta") {
		t.Errorf("a function has JSON: %v", err)
	}
	if c := table.Column("version"); c.Int(at(o)) != 3 || c.SetInt(at(o), 4) != nil || o.Version != 4 || c.Zero(at(o)) {
		t.Error("the version is not counted")
	}
	if p, ok := table.Column("code").Pointer(at(o)).(*string); !ok || p != &o.Code {
		t.Error("a column's pointer is not its field's")
	}
}

func TestIntegersThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	type small struct {
		ID uint8
	}
	o := &small{}
	c := of[small](t).Column("id")
	for _, n := range []int64{-1, 256} {
		if err := c.SetInt(at(o), n); err == nil || o.ID != 0 {
			t.Errorf("%d was put into a uint8: %v", n, err)
		}
	}
	if err := c.SetInt(at(o), 255); err != nil || o.ID != 255 || c.Int(at(o)) != 255 {
		t.Error(err)
	}
}

// TestASnapshotKnowsEveryChange makes random objects, takes a snapshot, changes
// one column, in place where that is possible, and asks what has changed.
func TestASnapshotKnowsEveryChange(t *testing.T) {
	t.Parallel()
	table := of[Order](t)
	rapid.Check(t, func(t *rapid.T) {
		o := &Order{
			ID: rapid.Int64().Draw(t, "id"), Total: rapid.Float64().Draw(t, "total"), Code: rapid.String().Draw(t, "code"),
			Tags: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "tags"), Raw: rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "raw"),
			Meta: map[string]any{"list": []any{"a", map[string]any{"deep": 1}}}, hidden: 1,
		}
		parent := rapid.Int64().Draw(t, "parent")
		o.Parent, o.Created = &parent, time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "created"), 0)
		snap := table.Snapshot(at(o))
		if got := table.AppendChanged(nil, at(o), snap); len(got) != 0 || table.Changed(at(o), snap) {
			t.Fatalf("nothing was changed, yet columns %v differ", got)
		}
		o.Code, o.Created = strings.Clone(o.Code), o.Created.UTC() // other bytes, and the same values
		if table.Changed(at(o), snap) {
			t.Fatal("nothing was changed that the database sees")
		}
		changes := map[string]func(){
			"id": func() { o.ID++ }, "code": func() { o.Code += "x" }, "tags": func() { o.Tags[0] += "x" },
			"raw": func() { o.Raw[0]++ }, "parent_id": func() { *o.Parent++ }, "paid": func() { o.Paid = !o.Paid },
			"meta":    func() { o.Meta["list"].([]any)[1].(map[string]any)["deep"] = 2 },
			"created": func() { o.Created = o.Created.Add(time.Second) }, "by": func() { s := ""; o.By = &s },
			"note": func() { o.Note.Valid = true },
		}
		keys := make([]string, 0, len(changes))
		for k := range changes {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		name := rapid.SampledFrom(keys).Draw(t, "change")
		changes[name]()
		if got, want := table.AppendChanged(nil, at(o), snap), []int{table.Column(name).Index}; !slices.Equal(got, want) || !table.Changed(at(o), snap) {
			t.Fatalf("%s was changed, columns %v differ, want %v", name, got, want)
		}
		table.Column(name).Copy(at(o), snap)
		if got := table.AppendChanged(nil, at(o), snap); len(got) != 0 || table.Changed(at(o), snap) {
			t.Fatalf("%s was put back, yet columns %v differ", name, got)
		}
	})
}

func TestWhatTheDatabaseSeesAsEqualIs(t *testing.T) {
	t.Parallel()
	table := of[Order](t)
	now := time.Now()
	a := &Order{Total: math.NaN(), Raw: []byte{}, Audit: Audit{Created: now}}
	b := &Order{Total: math.NaN(), Raw: nil, Audit: Audit{Created: now.Round(0).UTC()}}
	if !table.Column("total").Equal(at(a), at(b)) || !table.Column("created").Equal(at(a), at(b)) {
		t.Error("NaN or the same moment in another zone count as a change")
	}
	if table.Column("raw").Equal(at(a), at(b)) {
		t.Error("no bytes and NULL are the same")
	}
}

// wide has ten columns, as the target for comparing has.
type wide struct {
	ID         int64
	A, B, C, D string
	E, F       int64
	G          float64
	H          time.Time
	I          bool
}

// TestFieldsWithoutAColumnAreNoChange has fields between columns and in the gaps
// that alignment leaves.
func TestFieldsWithoutAColumnAreNoChange(t *testing.T) {
	t.Parallel()
	type gaps struct {
		ID   int64
		A    bool
		Skip bool `orm:"-"`
		skip int16
		B    int32
		Any  *int `orm:"-"`
		C    string
		D    [3]byte
		last bool
		E    float64
	}
	table := of[gaps](t)
	o := &gaps{ID: 1, A: true, B: 2, C: "c", E: math.NaN()}
	snap := table.Snapshot(at(o))
	o.Skip, o.skip, o.Any, o.last = true, 3, new(4), true
	if table.Changed(at(o), snap) {
		t.Error("a field without a column counts as a change")
	}
	for name, change := range map[string]func(){
		"id": func() { o.ID++ }, "a": func() { o.A = false }, "b": func() { o.B++ }, "c": func() { o.C += "c" }, "d": func() { o.D[2]++ }, "e": func() { o.E = 0 },
	} {
		before := *o
		change()
		if !table.Changed(at(o), snap) {
			t.Errorf("a change of %s is not seen", name)
		}
		*o = before
	}
}

func BenchmarkChanged(b *testing.B) {
	table, err := mapping.Of(reflect.TypeFor[wide]())
	if err != nil {
		b.Fatal(err)
	}
	objects, snaps := make([]*wide, 10_000), make([]unsafe.Pointer, 10_000)
	for i := range objects {
		objects[i] = &wide{ID: int64(i), A: "some text", B: "more text", C: "c", D: "d", H: time.Unix(int64(i), 0)}
		snaps[i] = table.Snapshot(at(objects[i]))
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, o := range objects {
			if table.Changed(at(o), snaps[i]) {
				b.Fatal(i)
			}
		}
	}
}

func BenchmarkAppendChanged(b *testing.B) {
	table, err := mapping.Of(reflect.TypeFor[wide]())
	if err != nil {
		b.Fatal(err)
	}
	objects, snaps := make([]*wide, 10_000), make([]unsafe.Pointer, 10_000)
	for i := range objects {
		objects[i] = &wide{ID: int64(i), A: "some text", B: "more text", C: "c", D: "d", H: time.Unix(int64(i), 0)}
		snaps[i] = table.Snapshot(at(objects[i]))
	}
	b.ReportAllocs()
	var changed []int
	for b.Loop() {
		for i, o := range objects {
			changed = table.AppendChanged(changed[:0], at(o), snaps[i])
			if len(changed) != 0 {
				b.Fatal(changed)
			}
		}
	}
}

// TestASnapshotCopiesWithoutReflection holds its allocations: itself, and one for
// each value that it must not share.
func TestASnapshotCopiesWithoutReflection(t *testing.T) {
	type label string
	type file struct {
		ID    int64
		Name  *string
		Label *label
		Size  *int32
		At    *time.Time
		Since time.Time
		Data  []byte
	}
	table, err := mapping.Of(reflect.TypeFor[file]())
	if err != nil {
		t.Fatal(err)
	}
	name, l, size, now := "name", label("label"), int32(7), time.Now()
	then := now
	f := &file{1, &name, &l, &size, &then, now, make([]byte, 1000)}
	snap := (*file)(table.Snapshot(at(f)))
	if !reflect.DeepEqual(snap, f) {
		t.Errorf("%+v, want %+v", snap, f)
	}
	f.Data[999], *f.Name, *f.Label, *f.Size, *f.At = 1, "other", "other", 8, now.Add(1)
	if snap.Data[999] != 0 || *snap.Name != "name" || *snap.Label != "label" || *snap.Size != 7 || !snap.At.Equal(now) {
		t.Error("the snapshot has changed with the object")
	}
	if none := (*file)(table.Snapshot(at(&file{Data: []byte{}}))); none.Data == nil || none.Name != nil {
		t.Errorf("nil and empty are not kept apart: %+v", none)
	}
	if n := alloctest.PerRun(100, func() { table.Snapshot(at(f)) }); n > 6 {
		t.Errorf("%v allocations", n)
	}
}

func TestOptionsMayHoldCommasInParentheses(t *testing.T) {
	t.Parallel()
	type priced struct {
		ID    int64
		Price float64 `orm:"price,type:numeric(10,2),default:round(1.234,2),unique"`
	}
	c := of[priced](t).Column("price")
	if c.SQLType != "numeric(10,2)" || c.Expression != "round(1.234,2)" || !c.Default || !c.Unique {
		t.Errorf("%+v", c)
	}
}

func TestBlocksMakeObjectsOfTheirOwn(t *testing.T) {
	type page struct {
		ID   int64
		Text *string
	}
	const n = 100
	table := of[page](t)
	fresh := table.Blocks(8)
	made := map[*page]bool{}
	for i := range n {
		p := (*page)(fresh())
		if p.ID != 0 || p.Text != nil || made[p] {
			t.Fatalf("object %d is %+v, or one that was made before", i, p)
		}
		p.ID, p.Text = int64(i), new("text")
		made[p] = true
	}
	for p := range made {
		if *p.Text != "text" {
			t.Errorf("%+v", p)
		}
	}
	if got := alloctest.PerRun(10, func() {
		fresh := table.Blocks(8)
		for range n {
			fresh()
		}
	}); got > 50 {
		t.Errorf("%v allocations for %d objects", got, n)
	}
}

func TestRefsAreTheValues(t *testing.T) {
	type level int16
	type thing struct {
		ID    int64
		Name  string
		Level level
		Note  *string
		None  *string
		Price float64
		At    *time.Time
		Byte  uint8
		Data  []byte
		Tags  []string
		When  sql.Null[time.Time]
		Doc   map[string]int `orm:",json"`
	}
	table := of[thing](t)
	note, now := "note", time.Now()
	o := &thing{7, "name", 3, &note, nil, 1.5, &now, 9, []byte("x"), []string{"y"}, sql.Null[time.Time]{}, map[string]int{"a": 1}}
	for field, want := range map[string]any{
		"Name": &o.Name, "Level": (*int16)(&o.Level), "Note": o.Note, "None": nil, "Price": &o.Price, "At": o.At,
		"Byte": int64(9), "Data": o.Data, "Tags": o.Tags, "When": o.When, "Doc": `{"a":1}`,
	} {
		c := column(t, table, field)
		got, err := c.Ref(at(o))
		same := reflect.DeepEqual(got, want)
		if p := reflect.ValueOf(want); same && p.Kind() == reflect.Pointer {
			same = p.Pointer() == reflect.ValueOf(got).Pointer() // it is the value, not a copy
		}
		if err != nil || !same {
			t.Errorf("%s: %#v, %v, want %#v", field, got, err, want)
		}
	}
	name := column(t, table, "Name")
	if n := alloctest.PerRun(100, func() { _, _ = name.Ref(at(o)) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// column returns the column of a field.
func column(t *testing.T, table *mapping.Table, field string) *mapping.Column {
	t.Helper()
	for _, c := range table.Columns {
		if c.Field == field {
			return c
		}
	}
	t.Fatalf("%s has no field %s", table.FullName(), field)
	return nil
}
