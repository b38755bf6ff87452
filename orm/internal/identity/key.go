package identity

import (
	"cmp"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Key is a primary key in a form that can be compared: n for a single
// integer, s for everything else.
type Key struct {
	n int64
	s string
}

// IntKey returns the key of a single integer, a uint64 by its bits.
func IntKey(n int64) Key { return Key{n: n} }

// TextKey returns the key of a single string.
func TextKey(s string) Key { return Key{s: s} }

// Compare orders keys: integers by value, everything else by its bytes.
func (k Key) Compare(other Key) int {
	return cmp.Or(cmp.Compare(k.n, other.n), strings.Compare(k.s, other.s))
}

// KeyOf returns the key of an object.
func KeyOf(t *mapping.Table, obj memory.Pointer) Key {
	if len(t.Key) == 1 {
		switch c := t.Key[0]; {
		case c.Integer():
			return Key{n: c.Int(obj)}
		case c.Type.Kind() == reflect.String:
			return Key{s: c.Text(obj)}
		}
	}
	var b strings.Builder
	for _, c := range t.Key {
		v, _ := c.Value(obj, false) // keys have no JSON
		writePart(&b, v)
	}
	return Key{s: b.String()}
}

// KeyBy returns the key that columns which refer to it have in an object;
// false if one of them is NULL.
func KeyBy(cols []*mapping.Column, obj memory.Pointer) (Key, bool) {
	var b strings.Builder
	for _, c := range cols {
		v, err := c.Value(obj, false)
		if valuer, ok := v.(driver.Valuer); ok && c.Type.PkgPath() == "database/sql" { // a sql.Null
			v, err = valuer.Value()
		}
		if v == nil || err != nil {
			return Key{}, false
		}
		if len(cols) == 1 {
			switch v := v.(type) {
			case int64:
				return Key{n: v}, true
			case uint64:
				return Key{n: int64(v)}, true
			case string:
				return Key{s: v}, true
			}
		}
		writePart(&b, v)
	}
	return Key{s: b.String()}, true
}

// writePart writes a part of a key so that no two keys read alike.
func writePart(b *strings.Builder, v any) {
	var part string
	switch v := v.(type) {
	case int64:
		part = strconv.FormatInt(v, 10)
	case uint64:
		part = strconv.FormatUint(v, 10)
	case string:
		part = v
	case []byte:
		part = string(v)
	case time.Time:
		part = v.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	default:
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Array {
			part = fmt.Sprintf("%x", v)
		} else if valuer, ok := v.(driver.Valuer); ok {
			inner, _ := valuer.Value()
			part = fmt.Sprint(inner)
		} else {
			part = fmt.Sprint(v)
		}
	}
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(part)))
	b.Write(length[:])
	b.WriteString(part)
}

// KeyValues returns the parts of an object's key.
func KeyValues(t *mapping.Table, obj memory.Pointer) []any {
	key := make([]any, len(t.Key))
	for i, c := range t.Key {
		key[i], _ = c.Value(obj, false) // keys have no JSON
	}
	return key
}

// KeyIsZero reports whether an object has no key yet.
func KeyIsZero(t *mapping.Table, obj memory.Pointer) bool {
	for _, c := range t.Key {
		if !c.Zero(obj) {
			return false
		}
	}
	return true
}

// ValueKey returns the values of columns in a form that can be compared; "" if
// one of them is NULL.
func ValueKey(obj memory.Pointer, cols ...*mapping.Column) string {
	var b strings.Builder
	for _, c := range cols {
		v, err := c.Value(obj, false)
		if v == nil || err != nil || c.Null(obj) {
			return ""
		}
		writePart(&b, v)
	}
	return b.String()
}
