package scan_test

import (
	"database/sql"
	"errors"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// rowOf is a row with the values a driver gave, read by Scanners alone.
type rowOf []any

func (r rowOf) Scan(dest ...any) error {
	for i, d := range dest {
		if err := d.(sql.Scanner).Scan(r[i]); err != nil {
			return scan.AtColumn(i, err)
		}
	}
	return nil
}

// read reads a driver's value into a T with conversions.
func read[T any](src any) (any, error) {
	plan, err := scan.PlanFor[T]([]string{"v"}, scan.WithConversions())
	if err != nil {
		return nil, err
	}
	var v T
	err = plan.Scan(rowOf{src}, &v)
	return v, err
}

// Tree is read from JSON.
type Tree struct {
	Leaf  int     `json:"leaf"`
	Trees []*Tree `json:"trees"`
}

type uuid [16]byte

func TestConversions(t *testing.T) {
	t.Parallel()
	moment := time.Date(2024, 2, 29, 13, 14, 15, 0, time.UTC)
	id := uuid{0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11}
	yes := true
	tests := []struct {
		read func(src any) (any, error)
		src  any
		want any
	}{
		{read[time.Time], moment, moment},
		{read[time.Time], "2024-02-29 13:14:15", moment},
		{read[time.Time], []byte("2024-02-29 13:14:15.000000"), moment},
		{read[time.Time], "2024-02-29T13:14:15Z", moment},
		{read[time.Time], moment.String(), moment},
		{read[time.Time], moment.Unix(), moment},
		{read[time.Time], 2460370.0515625, moment},
		{read[time.Time], []byte("0000-00-00 00:00:00"), time.Time{}},
		{read[*time.Time], nil, (*time.Time)(nil)},
		{read[*time.Time], "2024-02-29 13:14:15", &moment},
		{read[**time.Time], nil, (**time.Time)(nil)},
		{read[sql.Null[time.Time]], "2024-02-29 13:14:15", sql.Null[time.Time]{V: moment, Valid: true}},
		{read[sql.NullTime], []byte("2024-02-29 13:14:15"), sql.NullTime{Time: moment, Valid: true}},
		{read[sql.NullTime], nil, sql.NullTime{}},
		{read[bool], int64(1), true},
		{read[bool], []byte{1}, true},
		{read[bool], []byte{0}, false},
		{read[bool], []byte("1"), true},
		{read[bool], "false", false},
		{read[*bool], []byte{1}, &yes},
		{read[sql.Null[bool]], []byte{1}, sql.Null[bool]{V: true, Valid: true}},
		{read[uuid], "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", id},
		{read[uuid], []byte("A0EEBC999C0B4EF8BB6D6BB9BD380A11"), id},
		{read[uuid], id[:], id},
		{read[[3]byte], "abc", [3]byte{'a', 'b', 'c'}},
		{read[netip.Addr], "192.0.2.1", netip.AddrFrom4([4]byte{192, 0, 2, 1})},
		{read[big.Int], int64(12), *big.NewInt(12)},
		{read[*big.Int], []byte("12"), big.NewInt(12)},
		{read[[]string], `["a", "b"]`, []string{"a", "b"}},
		{read[[]string], nil, []string(nil)},
		{read[map[string]int], []byte(`{"a": 1}`), map[string]int{"a": 1}},
		{read[*map[string]int], "null", (*map[string]int)(nil)},
		{read[sql.Null[[]int]], "[1]", sql.Null[[]int]{V: []int{1}, Valid: true}},
	}
	for _, test := range tests {
		got, err := test.read(test.src)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%T %v gives %v, %v; want %v", test.src, test.src, got, err, test.want)
		}
	}
}

func TestConversionsThatFailShowNoValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		read func(src any) (any, error)
		src  any
		want string
	}{
		{read[time.Time], "s3cret", "a value of type string that is no time"},
		{read[time.Time], []byte("2024-02-30"), "a value of type []uint8 that is no time"},
		{read[time.Time], int64(1709212455000), "a value of type int64 that is no time"},
		{read[time.Time], -1e300, "a value of type float64 that is no time"},
		{read[time.Time], true, "a value of type bool that is no time"},
		{read[time.Time], nil, scan.ErrNull.Error()},
		{read[bool], "s3cret", "a value of type string that is neither true nor false"},
		{read[bool], nil, scan.ErrNull.Error()},
		{read[uuid], "s3cret", "a value of type string that is not 16 bytes"},
		{read[uuid], "a0eebc99+9c0b-4ef8-bb6d-6bb9bd380a11", "a value of type string that is not 16 bytes"},
		{read[uuid], "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a value of type string that is not 16 bytes"},
		{read[uuid], nil, scan.ErrNull.Error()},
		{read[netip.Addr], "s3cret", "a text that it does not understand"},
		{read[netip.Addr], true, "a value of type bool, and it reads text"},
		{read[netip.Addr], nil, scan.ErrNull.Error()},
		{read[[]int], `{"s3cret`, "a text that is no JSON of its kind"},
		{read[[]int], time.Time{}, "a value of type time.Time, and it reads JSON"},
		{read[[2]int], nil, scan.ErrNull.Error()},
	}
	for _, test := range tests {
		_, err := test.read(test.src)
		column, ok := errors.AsType[*scan.ColumnError](err)
		if !ok || column.Column != "v" || err.Error() != `scan: column "v" into `+column.Field+`: `+test.want && column.Type == column.Field {
			t.Errorf("%T: %v, want %s", test.src, err, test.want)
			continue
		}
		want := `scan: column "v" into ` + column.Field + `: ` + test.want
		if err.Error() != want {
			t.Errorf(" got %v\nwant %s", err, want)
		}
		if (test.want == scan.ErrNull.Error()) != errors.Is(err, scan.ErrNull) {
			t.Errorf("%v and ErrNull", err)
		}
	}
}

func TestJSONIsReadWhereTheTagSaysSo(t *testing.T) {
	t.Parallel()
	type row struct {
		Tree  Tree           `db:"tree,json"`
		Ptr   *Tree          `db:",json"`
		Any   any            `db:",json"`
		Null  sql.Null[Tree] `db:",json"`
		Count int            `orm:",json"`
	}
	plan, err := scan.PlanFor[row]([]string{"tree", "ptr", "any", "null", "count"})
	if err != nil {
		t.Fatal(err)
	}
	got := row{Tree: Tree{Leaf: 1, Trees: []*Tree{{}}}}
	if err := plan.Scan(rowOf{`{"leaf": 2}`, nil, []byte(`[true]`), `{"leaf": 3}`, int64(4)}, &got); err != nil {
		t.Fatal(err)
	}
	want := row{Tree: Tree{Leaf: 2}, Any: []any{true}, Null: sql.Null[Tree]{V: Tree{Leaf: 3}, Valid: true}, Count: 4}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := plan.Scan(rowOf{`{}`, `null`, nil, nil, 1.5}, &got); err == nil {
		t.Error("1.5 was read into an int")
	}
	if got.Ptr != nil || got.Any != nil || got.Null.Valid || got.Tree.Leaf != 0 {
		t.Errorf("got %+v, want what was there to be gone", got)
	}
}

// FuzzTime holds that what is written in a form that is read is read again,
// and that nothing else makes it fail but with an error.
func FuzzTime(f *testing.F) {
	f.Add(int64(0), 0, "2024-02-29 13:14")
	f.Add(int64(1709212455123456789), 3600, "2024-02-29T13:14:15 +02:00")
	f.Add(int64(-62135596800000000), -5400, "0000-00-00")
	f.Fuzz(func(t *testing.T, nanos int64, offset int, text string) {
		_, _ = read[time.Time](text) // does not panic
		moment := time.Unix(0, nanos).In(time.FixedZone("", offset%(14*60)*60))
		for _, form := range []struct {
			layout string
			to     time.Duration
			zoned  bool
		}{
			{time.RFC3339Nano, 1, true},
			{"2006-01-02 15:04:05.999999999-07:00", 1, true},
			{"2006-01-02 15:04:05.999999-0700", time.Microsecond, true},
			{"2006-01-02 15:04:05 -0700", time.Second, true},
			{"2006-01-02 15:04:05.999999999 -07:00", 1, true},
			{"2006-01-02 15:04:05.999", time.Millisecond, false},
			{"2006-01-02T15:04:05", time.Second, false},
			{"2006-01-02 15:04", time.Minute, false},
			{"2006-01-02T15:04Z07:00", time.Minute, true},
			{time.DateOnly, 24 * time.Hour, false},
			{"2006-01-02 15:04:05.999999999 -0700 MST m=+0.1", 1, true},
		} {
			written := moment
			if !form.zoned {
				written = moment.UTC()
			}
			want := written.Truncate(form.to)
			got, err := read[time.Time](written.Format(form.layout))
			if err != nil || !got.(time.Time).Equal(want) {
				t.Errorf("%s gives %v, %v; want %v", written.Format(form.layout), got, err, want)
			}
		}
	})
}

// FuzzTag holds that any tag names a column or leaves the field out.
func FuzzTag(f *testing.F) {
	for _, seed := range []string{`db:"a"`, `orm:"a,pk,json" db:"b"`, `orm:"rel:has-many"`, `db:"-"`, `db:`, `db:",,"`, `db:"a`, "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		st := reflect.StructOf([]reflect.StructField{{Name: "Field", Type: reflect.TypeFor[int](), Tag: reflect.StructTag(tag)}})
		fields := scan.Fields(st)
		if len(fields) == 0 {
			return
		}
		plan, err := scan.PlanOf(st, []string{fields[0].Column})
		if err != nil {
			t.Fatalf("%q: %v", tag, err)
		}
		if _, err := plan.Targets(reflect.New(st).Interface(), nil); err != nil {
			t.Errorf("%q: %v", tag, err)
		}
	})
}
