package term

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"reflect"
	"time"
)

// IsNull reports whether a value is NULL in the database.
func IsNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string, int, int64, bool, float64, time.Time, int32:
		return false
	case driver.Valuer:
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && p.IsNil() {
			return true
		}
		value, err := v.Value()
		return err == nil && value == nil
	}
	switch p := reflect.ValueOf(v); p.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return p.IsNil()
	default:
		return false
	}
}

// argument converts a value that stands beside no column, as a column of its type
// would.
func argument(v any, arrays bool) (any, error) {
	switch v.(type) {
	case nil, string, int64, bool, float64, time.Time, []byte, driver.Valuer:
		return v, nil
	}
	p := reflect.ValueOf(v)
	switch p.Kind() {
	case reflect.Pointer:
		if p.IsNil() {
			return nil, nil
		}
		return argument(p.Elem().Interface(), arrays)
	case reflect.String:
		return p.String(), nil
	case reflect.Bool:
		return p.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return p.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return p.Uint(), nil
	case reflect.Float32, reflect.Float64:
		return p.Float(), nil
	case reflect.Array:
		if !arrays && p.Type().Elem().Kind() == reflect.Uint8 {
			out := make([]byte, p.Len())
			reflect.Copy(reflect.ValueOf(out), p)
			return bytes.Clone(out), nil
		}
	default:
	}
	if arrays {
		return v, nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// typeOf is PostgreSQL's type of values of a Go type; empty if there is none of
// its own.
func typeOf(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return "timestamptz"
	case reflect.TypeFor[[]byte]():
		return "bytea"
	case reflect.TypeFor[[16]byte]():
		return "uuid"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return "bigint"
	case reflect.Uint, reflect.Uint64:
		return "numeric"
	case reflect.Float32, reflect.Float64:
		return "double precision"
	default:
		return ""
	}
}
