package assign_test

import (
	"database/sql"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/engine/internal/assign"
)

// named types, which have no way of their own.
type (
	myInt    int32
	myString string
	myBytes  []byte
)

// agrees compares assign.Value with database/sql, whose conversion a sql.Null
// lends.
func agrees[T any](t *testing.T, src any) {
	t.Helper()
	var n sql.Null[T]
	wantErr := n.Scan(src)
	var got T
	err := assign.Value(&got, src)
	if src == nil {
		// sql.Null takes NULL; a plain variable does not, unless it can.
		if _, ok := any(got).([]byte); (err == nil) != (ok || reflect.TypeFor[T]().Kind() == reflect.Pointer || reflect.TypeFor[T]().Kind() == reflect.Interface) {
			t.Errorf("NULL into %T: %v", got, err)
		}
		return
	}
	if (err == nil) != (wantErr == nil) {
		t.Errorf("%#v into %T: %v, database/sql says %v", src, got, err, wantErr)
		return
	}
	if err == nil && !reflect.DeepEqual(got, n.V) {
		t.Errorf("%#v into %T: %#v, database/sql says %#v", src, got, got, n.V)
	}
}

func everywhere(t *testing.T, src any) {
	t.Helper()
	agrees[int](t, src)
	agrees[int8](t, src)
	agrees[int64](t, src)
	agrees[uint](t, src)
	agrees[uint16](t, src)
	agrees[float32](t, src)
	agrees[float64](t, src)
	agrees[bool](t, src)
	agrees[string](t, src)
	agrees[[]byte](t, src)
	agrees[time.Time](t, src)
	agrees[any](t, src)
	agrees[*int64](t, src)
	agrees[*string](t, src)
	agrees[myInt](t, src)
	agrees[myString](t, src)
	agrees[myBytes](t, src)
}

var values = []any{
	nil, int64(0), int64(1), int64(-1), int64(300), int64(1) << 40, 0.5, -1e300, 1e40, true, false, "", "text", "12", "-3", "1.5", "true", "T",
	[]byte{},
	[]byte("12"), []byte("x"), time.Unix(1700000000, 5).UTC(),
}

func TestValuesAreConvertedAsDatabaseSQLDoes(t *testing.T) {
	t.Parallel()
	for _, v := range values {
		everywhere(t, v)
	}
}

func FuzzValue(f *testing.F) {
	f.Add(int64(5), 0.5, "12", []byte("x"), true)
	f.Fuzz(func(t *testing.T, i int64, x float64, s string, b []byte, yes bool) {
		for _, v := range []any{i, x, s, b, yes} {
			if x != x { // NaN equals nothing
				continue
			}
			everywhere(t, v)
		}
	})
}

func TestDestinationsThatTakeNothing(t *testing.T) {
	t.Parallel()
	if err := assign.Value(nil, int64(1)); err != nil {
		t.Errorf("nil, which skips its column: %v", err)
	}
	for _, dest := range []any{5, (*int)(nil), new(chan int), new(sql.RawBytes), new(struct{})} {
		if err := assign.Value(dest, int64(1)); err == nil {
			t.Errorf("%T takes a value", dest)
		}
	}
}

func TestScannersGetTheirOwnBytes(t *testing.T) {
	t.Parallel()
	src := []byte("abc")
	var s keeper
	if err := assign.Value(&s, src); err != nil {
		t.Fatal(err)
	}
	src[0] = 'x'
	if string(s.got) != "abc" {
		t.Errorf("the scanner's bytes became %q", s.got)
	}
	var b []byte
	if err := assign.Value(&b, src); err != nil {
		t.Fatal(err)
	}
	src[1] = 'x'
	if string(b) != "xbc" {
		t.Errorf("the caller's bytes became %q", b)
	}
}

type keeper struct{ got []byte }

func (k *keeper) Scan(src any) error {
	k.got = src.([]byte)
	return nil
}

func TestErrorsShowNoValue(t *testing.T) {
	t.Parallel()
	var n int8
	for _, src := range []any{"4242424", int64(4242424), 424.2424} {
		if err := assign.Value(&n, src); err == nil || strings.Contains(err.Error(), "4242") {
			t.Errorf("%v: %v", src, err)
		}
	}
}
