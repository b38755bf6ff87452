package enginetest

import (
	"database/sql"
	"encoding/json"
	"math"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// store writes a value into a column of a type and returns the row that comes
// back. Each has a table of its own: PostgreSQL refuses a statement that was
// prepared for other types.
func (f *fixture) store(columnType string, value any) engine.Row {
	f.Helper()
	f.stored++
	table := "val" + itoa(f.stored)
	f.exec(f, "CREATE TABLE "+table+" (id INTEGER PRIMARY KEY, v "+columnType+")")
	f.exec(f, "INSERT INTO "+table+" (id, v) VALUES (1, ?)", value)
	row, err := f.exec(f, "SELECT v FROM "+table).One()
	f.ok(err)
	return row
}

// back returns the form in which a value comes back as an any.
func (f *fixture) back(columnType string, value any) any {
	f.Helper()
	v, err := f.store(columnType, value).At(0)
	f.ok(err)
	return v
}

// get reads the only value of a row.
func get[T any](f *fixture, row engine.Row) T {
	f.Helper()
	var v T
	f.ok(row.Scan(&v))
	return v
}

func testIntegers(t *testing.T, f *fixture) {
	for _, n := range []int64{0, 1, -1, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		row := f.store("BIGINT", n)
		want(t, "int64", get[int64](f, row), n)
		want(t, "any", must[any](t)(row.At(0)), any(n))
	}
	row := f.store("SMALLINT", 7)
	want(t, "int", get[int](f, row), 7)
	want(t, "int8", get[int8](f, row), 7)
	want(t, "uint16", get[uint16](f, row), 7)
	want(t, "any", must[any](t)(row.At(0)), any(int64(7)))
	var small int8
	if err := f.store("INTEGER", 300).Scan(&small); err == nil {
		t.Error("300 in an int8 is no error")
	}
}

func testFloats(t *testing.T, f *fixture) {
	for _, x := range []float64{0.1, -1.5, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		if x == math.SmallestNonzeroFloat64 && f.types.double == "DOUBLE" && f.Dialect().System != sp.SQLite {
			continue // a subnormal number is zero to some servers
		}
		row := f.store(f.types.double, x)
		want(t, "float64", get[float64](f, row), x)
		want(t, "any", must[any](t)(row.At(0)), any(x))
	}
	want(t, "any of a REAL", f.back("REAL", 0.25), any(0.25))
}

func testDecimals(t *testing.T, f *fixture) {
	const exact = "12345678901234567890.0123456789"
	row := f.store(f.types.decimal, exact)
	want(t, "string", get[string](f, row), exact)
	want(t, "any", must[any](t)(row.At(0)), any(exact))
}

func testTexts(t *testing.T, f *fixture) {
	for _, s := range []string{"", "plain", "Grüße, 世界 🌍", "quote ' \" ` \\ ? $1 :x", "line\nbreak\ttab"} {
		row := f.store("VARCHAR(100)", s)
		want(t, "string", get[string](f, row), s)
		want(t, "bytes", string(get[[]byte](f, row)), s)
		want(t, "any", must[any](t)(row.At(0)), any(s))
		want(t, "text", f.back("TEXT", s), any(s))
	}
}

func testBytes(t *testing.T, f *fixture) {
	for _, b := range [][]byte{{}, {0, 1, 2, 0xff, '\'', '\\'}, []byte("text")} {
		row := f.store(f.types.bytes, b)
		want(t, "bytes", string(get[[]byte](f, row)), string(b))
		v := must[any](t)(row.At(0))
		got, ok := v.([]byte)
		if !ok || string(got) != string(b) {
			t.Errorf("any: %#v, want %#v", v, b)
		}
	}
}

func testBools(t *testing.T, f *fixture) {
	for _, b := range []bool{true, false} {
		want(t, "bool", get[bool](f, f.store(f.types.boolean, b)), b)
	}
	if f.Dialect().System == sp.PostgreSQL || f.Dialect().System == sp.SQLite {
		want(t, "any", f.back(f.types.boolean, true), any(true))
	}
}

func testTimes(t *testing.T, f *fixture) {
	zone := time.FixedZone("", 5*3600+1800)
	for _, at := range []time.Time{
		time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC),
		time.Date(2024, 2, 29, 23, 59, 59, 999999000, zone),
		time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC),
	} {
		row := f.store(f.types.timestamp, at)
		if got := get[time.Time](f, row); !got.Equal(at) {
			t.Errorf("time: %s, want %s", got, at)
		}
		v := must[any](t)(row.At(0))
		if got, ok := v.(time.Time); !ok || !got.Equal(at) {
			t.Errorf("any: %#v, want %s", v, at)
		}
	}
}

func testDates(t *testing.T, f *fixture) {
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	if got := get[time.Time](f, f.store(f.types.date, day)); !got.Equal(day) {
		t.Errorf("date: %s, want %s", got, day)
	}
}

func testJSON(t *testing.T, f *fixture) {
	const doc = `{"a": [1, null, "x"], "b": {"c": true}}`
	var got, wanted any
	f.ok(json.Unmarshal(get[[]byte](f, f.store(f.types.json, doc)), &got))
	f.ok(json.Unmarshal([]byte(doc), &wanted))
	want(t, "document", got, wanted)
	want(t, "string", len(get[string](f, f.store(f.types.json, doc))) > 0, true)
}

func testUUID(t *testing.T, f *fixture) {
	const id = "0193e1c5-7a3b-7c4d-8e5f-0123456789ab"
	row := f.store(f.types.uuid, id)
	want(t, "string", get[string](f, row), id)
	want(t, "any", must[any](t)(row.At(0)), any(id))
}

func testNulls(t *testing.T, f *fixture) {
	for name, columnType := range map[string]string{
		"integer": "BIGINT", "double": f.types.double, "text": "VARCHAR(10)", "bytes": f.types.bytes, "time": f.types.timestamp,
	} {
		row := f.store(columnType, nil)
		want(t, name, must[any](t)(row.At(0)), nil)
		want(t, name+" bytes", get[[]byte](f, row), nil)
		var s string
		if err := row.Scan(&s); err == nil {
			t.Errorf("%s: NULL in a string is no error", name)
		}
	}
	row := f.store("BIGINT", nil)
	want(t, "pointer", get[*int64](f, row), nil)
	want(t, "sql.Null", get[sql.Null[int64]](f, row), sql.Null[int64]{})
	want(t, "sql.NullString", get[sql.NullString](f, f.store("VARCHAR(10)", nil)), sql.NullString{})
	row = f.store("BIGINT", 5)
	want(t, "pointer", *get[*int64](f, row), int64(5))
	want(t, "sql.Null", get[sql.Null[int64]](f, row), sql.Null[int64]{V: 5, Valid: true})
	if got := *get[*time.Time](f, f.store(f.types.timestamp, time.Unix(1700000000, 0))); got.Unix() != 1700000000 {
		t.Errorf("pointer to a time: %s", got)
	}
}
