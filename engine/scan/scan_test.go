package scan_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// Status is a name for a basic type.
type Status string

// Level has methods, none of which scans.
type Level int

func (l Level) String() string { return "level" }

// Point reads itself.
type Point struct{ X, Y int }

// Scan implements sql.Scanner.
func (p *Point) Scan(src any) error {
	if src == nil {
		return errors.New("a point is never NULL")
	}
	p.X, p.Y = 1, 2
	return nil
}

// Audit is embedded.
type Audit struct {
	CreatedAt time.Time
	By        string `db:"created_by"`
}

// Shadow has a column that the struct around it has as well.
type Shadow struct{ ID, Depth int }

type record struct {
	Audit
	*Shadow

	ID       int64
	Name     string `db:"full_name,unique"`
	Email    *string
	Status   Status
	Level    Level
	Raw      json.RawMessage
	HTTPPort uint16
	Note     sql.Null[string]
	Point    Point
	Meta     map[string]any `db:"meta,json"`
	Any      any
	Skipped  string    `db:"-"`
	Children []*record `orm:"rel:has-many,fk:parent_id"`
	hidden   int

	Primary int `db:"other" orm:"pk_col,pk"`
}

func TestTargetsArePointersIntoTheStruct(t *testing.T) {
	t.Parallel()
	columns := []string{
		"id", "full_name", "email", "status", "level", "raw", "http_port", "note", "point", "any", "created_at", "created_by", "depth", "pk_col",
	}
	plan, err := scan.PlanFor[record](columns)
	if err != nil {
		t.Fatal(err)
	}
	r := record{hidden: 1}
	got := plan.Targets(&r, nil)
	want := []any{
		&r.ID, &r.Name, &r.Email, (*string)(&r.Status), (*int)(&r.Level), (*[]byte)(&r.Raw), &r.HTTPPort, &r.Note, &r.Point, &r.Any,
		&r.CreatedAt, &r.By, &r.Depth, &r.Primary,
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("column %s: target %T, want a %T to the field", columns[i], got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d targets, want %d", len(got), len(want))
	}
}

func TestEmbeddedPointersAreNeverShared(t *testing.T) {
	t.Parallel()
	plan, err := scan.PlanFor[record]([]string{"depth"})
	if err != nil {
		t.Fatal(err)
	}
	r := record{Shadow: &Shadow{ID: 7, Depth: 1}}
	before := r.Shadow
	*plan.Targets(&r, nil)[0].(*int) = 5
	if before.Depth != 1 || r.Depth != 5 || r.Shadow.ID != 7 {
		t.Errorf("before %+v, after %+v: want a copy with a new depth", before, r.Shadow)
	}
}

func TestPointersGetANewStructForEachRow(t *testing.T) {
	t.Parallel()
	plan, err := scan.PlanFor[*Audit]([]string{"created_by"})
	if err != nil {
		t.Fatal(err)
	}
	var a *Audit
	buf := plan.Targets(&a, nil)
	first := a
	buf = plan.Targets(&a, buf)
	if first == a || buf[0] != &a.By {
		t.Error("two rows share a struct")
	}
}

// nearer has an embedded struct whose fields it hides, and two that compete.
type nearer struct {
	Shadow
	twin1
	twin2

	ID string
}

type (
	twin1 struct{ Same int }
	twin2 struct{ Same int }
	odd   struct {
		Fn    func()
		Iface interface{ F() }
		Raw   sql.RawBytes
		Case  int `db:"Case"`
		Lower int `db:"case"`
		Upper int `db:"UPPER"`
	}
)

func TestMistakesInColumnsAreNamed(t *testing.T) {
	t.Parallel()
	type names = []string
	tests := []struct {
		plan func() error
		want string
		is   error
	}{
		{tryPlan[record](names{"id", "nick"}), `scan: column "nick" into scan_test.record: no field takes it`, scan.ErrUnknownColumn},
		{tryPlan[record](names{"skipped"}), `scan: column "skipped" into scan_test.record: no field takes it`, scan.ErrUnknownColumn},
		{tryPlan[record](names{"hidden"}), `scan: column "hidden" into scan_test.record: no field takes it`, scan.ErrUnknownColumn},
		{tryPlan[record](names{"children"}), `scan: column "children" into scan_test.record: no field takes it`, scan.ErrUnknownColumn},
		{tryPlan[record](names{"other"}), `scan: column "other" into scan_test.record: no field takes it`, scan.ErrUnknownColumn},
		{tryPlan[record](names{""}), `scan: column "" into scan_test.record: no field takes it`, scan.ErrUnknownColumn},
		{tryPlan[*record](names{"id", "ID"}), `scan: column "ID" into *scan_test.record: it comes twice: give one another name with AS`, scan.ErrDuplicateColumn},
		{tryPlan[nearer](names{"same"}), `scan: column "same" into scan_test.nearer: several fields could take it: name one of them with a tag`, scan.ErrAmbiguousColumn},
		{tryPlan[odd](names{"CASE"}), `scan: column "CASE" into scan_test.odd: several fields could take it: name one of them with a tag`, scan.ErrAmbiguousColumn},
		{tryPlan[odd](names{"fn"}), `scan: column "fn" into scan_test.odd.Fn (func()): no value of a database fits into it`, nil},
		{tryPlan[odd](names{"iface"}), `scan: column "iface" into scan_test.odd.Iface (interface { F() }): an interface with methods does not say which type to make`, nil},
		{tryPlan[odd](names{"raw"}), `scan: column "raw" into scan_test.odd.Raw (sql.RawBytes): sql.RawBytes points into memory of the driver: use []byte`, nil},
		{tryPlan[chan int](names{"x"}), `scan: column "x" into chan int: no value of a database fits into it`, nil},
		{tryPlan[int64](names{"a", "b"}), `scan: into int64: it takes one column, and there are 2: a, b`, nil},
		{tryPlan[int64](nil), `scan: into int64: it takes one column, and there are 0: `, nil},
		{tryPlan[map[string]any](names{"a"}), `scan: into map[string]interface {}: rows are read as mappings without a plan`, nil},
	}
	for _, test := range tests {
		err := test.plan()
		if err == nil || err.Error() != test.want {
			t.Errorf(" got %v\nwant %s", err, test.want)
		}
		if test.is != nil && (!errors.Is(err, test.is) || !errors.As(err, new(*scan.ColumnError))) {
			t.Errorf("%v matches neither %v nor ColumnError", err, test.is)
		}
	}
	for _, fine := range []func() error{
		tryPlan[nearer]([]string{"id", "depth"}), tryPlan[odd]([]string{"Case", "case", "upper"}), tryPlan[record](nil),
		tryPlan[struct{ A int }]([]string{"A"}),
	} {
		if err := fine(); err != nil {
			t.Error(err)
		}
	}
}

func tryPlan[T any](columns []string) func() error {
	return func() error {
		plan, err := scan.PlanFor[T](columns)
		if (plan == nil) != (err != nil) {
			return errors.New("a plan with an error, or neither")
		}
		return err
	}
}

func TestUnknownColumnsCanBeLeftOut(t *testing.T) {
	t.Parallel()
	plan, err := scan.PlanFor[Audit]([]string{"x", "created_by", "x"}, scan.WithUnknownIgnored())
	if err != nil {
		t.Fatal(err)
	}
	var a Audit
	got := plan.Targets(&a, nil)
	if err := got[0].(sql.Scanner).Scan([]byte("y")); err != nil || got[1] != &a.By {
		t.Errorf("targets %T, %v", got, err)
	}
	if _, err := scan.PlanFor[Audit]([]string{"x", "created_by", "x"}); err == nil {
		t.Error("the option of one plan was taken for another")
	}
}

func TestPlansOfTypesKnownAtRunTime(t *testing.T) {
	t.Parallel()
	plan, err := scan.PlanOf(reflect.TypeFor[Audit](), []string{"created_by"})
	if err != nil {
		t.Fatal(err)
	}
	a := new(Audit)
	got, err := plan.Targets(a, nil)
	if err != nil || got[0] != &a.By {
		t.Errorf("targets %v, %v", got, err)
	}
	for _, wrong := range []any{nil, Audit{}, (*Audit)(nil), new(int)} {
		if _, err := plan.Targets(wrong, nil); err == nil {
			t.Errorf("%T was taken for a *Audit", wrong)
		}
	}
	if got := plan.Columns(); len(got) != 1 || got[0] != "created_by" {
		t.Errorf("columns %q", got)
	}
}

func TestFieldsAreListed(t *testing.T) {
	t.Parallel()
	var got []string
	for _, f := range scan.Fields(reflect.TypeFor[*nearer]()) {
		got = append(got, f.Column+" "+f.Name)
		if reflect.TypeFor[nearer]().FieldByIndex(f.Index).Type != f.Type {
			t.Errorf("%s: index %v", f.Name, f.Index)
		}
	}
	want := []string{"depth Shadow.Depth", "same twin1.Same", "same twin2.Same", "id ID"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
	if f := scan.Fields(reflect.TypeFor[record]())[4]; f.Column != "full_name" || !f.Has("unique") || f.Has("full_name") {
		t.Errorf("field %+v", f)
	}
	if scan.Fields(reflect.TypeFor[int]()) != nil {
		t.Error("an int has fields")
	}
}

func TestNamesBecomeSnakeCase(t *testing.T) {
	t.Parallel()
	type names struct {
		ID, UserID, HTTPServer, A, AB, ABc, X1Y, Größe, Already_snake int //nolint:asciicheck,staticcheck // names of all sorts
	}
	want := []string{"id", "user_id", "http_server", "a", "ab", "a_bc", "x1_y", "größe", "already_snake"}
	for i, f := range scan.Fields(reflect.TypeFor[names]()) {
		if f.Column != want[i] {
			t.Errorf("%s is %s, want %s", f.Name, f.Column, want[i])
		}
	}
}

// loop embeds itself.
type loop struct {
	*loop //nolint:unused // it is what is tested

	ID int
}

func TestATypeThatEmbedsItselfEnds(t *testing.T) {
	t.Parallel()
	if fs := scan.Fields(reflect.TypeFor[loop]()); len(fs) != 1 || fs[0].Column != "id" {
		t.Errorf("fields %+v", fs)
	}
}
