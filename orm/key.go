package orm

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// identity is a primary key in a form that can be compared: n for a single
// integer, s for everything else.
type identity struct {
	n int64
	s string
}

// identityOf returns the key of an object.
func identityOf(t *mapping.Table, obj unsafe.Pointer) identity {
	if len(t.Key) == 1 {
		switch c := t.Key[0]; {
		case c.Integer():
			return identity{n: c.Int(obj)}
		case c.Type.Kind() == reflect.String:
			return identity{s: c.Text(obj)}
		}
	}
	var b strings.Builder
	for _, c := range t.Key {
		v, _ := c.Value(obj, false) // keys have no JSON
		writePart(&b, v)
	}
	return identity{s: b.String()}
}

// identityBy returns the key that columns which refer to it have in an object;
// false if one of them is NULL.
func identityBy(cols []*mapping.Column, obj unsafe.Pointer) (identity, bool) {
	var b strings.Builder
	for _, c := range cols {
		v, err := c.Value(obj, false)
		if valuer, ok := v.(driver.Valuer); ok && c.Type.PkgPath() == "database/sql" { // a sql.Null
			v, err = valuer.Value()
		}
		if v == nil || err != nil {
			return identity{}, false
		}
		if len(cols) == 1 {
			switch v := v.(type) {
			case int64:
				return identity{n: v}, true
			case uint64:
				return identity{n: int64(v)}, true //nolint:gosec // by its bits, as Int has it
			case string:
				return identity{s: v}, true
			}
		}
		writePart(&b, v)
	}
	return identity{s: b.String()}, true
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
		part = v.UTC().Format(time.RFC3339Nano)
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

// keyValues returns the parts of an object's key.
func keyValues(t *mapping.Table, obj unsafe.Pointer) []any {
	key := make([]any, len(t.Key))
	for i, c := range t.Key {
		key[i], _ = c.Value(obj, false) // keys have no JSON
	}
	return key
}

// keyIsZero reports whether an object has no key yet.
func keyIsZero(t *mapping.Table, obj unsafe.Pointer) bool {
	for _, c := range t.Key {
		if !c.Zero(obj) {
			return false
		}
	}
	return true
}
