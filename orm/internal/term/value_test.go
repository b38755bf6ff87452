package term_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// code is a value that tells the driver what it is; zero is NULL.
type code int

func (c code) Value() (driver.Value, error) {
	switch {
	case c < 0:
		return nil, errors.New("there is no such code")
	case c == 0:
		return nil, nil
	}
	return int64(c), nil
}

func TestIsNull(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		nil, (*int)(nil), []byte(nil), map[string]int(nil), sql.NullString{}, code(0), (*code)(nil), (*sql.NullInt64)(nil),
	} {
		if !term.IsNull(v) {
			t.Errorf("%#v is not NULL", v)
		}
	}
	for _, v := range []any{
		0, int32(0), int64(0), 0.0, "", false,
		time.Time{},
		new(int),
		[]byte{},
		[]int{},
		sql.NullString{Valid: true},
		code(1),
		code(-1), // whose error is that of the statement
		[2]int{},
		struct{}{},
		uint8(0),
	} {
		if term.IsNull(v) {
			t.Errorf("%#v is NULL", v)
		}
	}
}

type (
	level  int8
	weight float32
	label  string
	flag   bool
	size   uint16
	mac    [6]byte
	point  struct{ X, Y int }
)

// TestValuesBesideNoColumn holds what becomes of a value whose column is not known:
// what one of its type would send.
func TestValuesBesideNoColumn(t *testing.T) {
	t.Parallel()
	now, n := time.Now(), 5
	p := &n
	for _, test := range []struct{ v, want any }{
		{nil, nil},
		{1, int64(1)},
		{int64(2), int64(2)},
		{1.5, 1.5},
		{"a", "a"},
		{true, true},
		{now, now},
		{[]byte("x"), []byte("x")},
		{code(3), code(3)},
		{sql.NullString{}, sql.NullString{}},
		{level(-1), int64(-1)},
		{weight(0.5), 0.5},
		{label("l"), "l"},
		{flag(true), true},
		{size(7), uint64(7)},
		{p, int64(5)},
		{&p, int64(5)},
		{(*int)(nil), nil},
		{mac{1, 2}, []byte{1, 2, 0, 0, 0, 0}},
		{point{1, 2}, `{"X":1,"Y":2}`},
		{[]int{1}, `[1]`},
	} {
		_, args, err := written(t, sqlite, &term.Value{V: test.v})
		if err != nil || len(args) != 1 || !reflect.DeepEqual(args[0], test.want) {
			t.Errorf("%#v is sent as %#v, %v, want %#v", test.v, args, err, test.want)
		}
	}
	for _, v := range []any{[]int{1}, mac{1}, point{1, 2}} { // pgx encodes them by the type of the parameter
		if _, args, err := written(t, postgres, &term.Value{V: v}); err != nil || !reflect.DeepEqual(args, list(v)) {
			t.Errorf("PostgreSQL gets %#v, %v", args, err)
		}
	}
	for _, v := range []any{make(chan int), func() {}} {
		if _, _, err := written(t, sqlite, &term.Value{V: v}); err == nil {
			t.Errorf("a %T is sent", v)
		}
	}
}

// TestValuesBesideAColumn are converted as the column's own are.
func TestValuesBesideAColumn(t *testing.T) {
	t.Parallel()
	r := rowOf[item](t)
	_, args, err := written(t, sqlite, equal(&r.Doc, map[string]any{"a": 1}))
	if err != nil || !reflect.DeepEqual(args, list(`{"a":1}`)) {
		t.Errorf("%#v, %v", args, err)
	}
	if _, args, err = written(t, sqlite, equal(&r.Tags, []string{"a"})); err != nil || !reflect.DeepEqual(args, list(`["a"]`)) {
		t.Errorf("%#v, %v", args, err)
	}
	if _, args, err = written(t, postgres, equal(&r.Tags, []string{"a"})); err != nil || !reflect.DeepEqual(args, list([]string{"a"})) {
		t.Errorf("%#v, %v", args, err)
	}
}

// TestParametersThatSayTheirType is about PostgreSQL, which wants to know it where
// nothing else tells.
func TestParametersThatSayTheirType(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		"$1::text": "a", "$1::boolean": true, "$1::bigint": int8(1), "$1::numeric": uint64(1), "$1::double precision": float32(1),
		"$1::timestamptz": time.Now(), "$1::bytea": []byte("x"), "$1::uuid": [16]byte{}, "$1": point{},
	} {
		typed := &term.Typed{V: v, Type: reflect.TypeOf(v)}
		if text, _, err := written(t, postgres, typed); err != nil || text != want {
			t.Errorf("%T: %s, %v, want %s", v, text, err, want)
		}
		if text, _, err := written(t, mysql, typed); err != nil || text != "?" {
			t.Errorf("%T: %s, %v on MySQL", v, text, err)
		}
	}
}
