package scan

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unsafe"
)

// store puts a value that a driver gave into the field at p. The value's bytes
// may be the driver's: they are copied.
type store func(p unsafe.Pointer, src any) error

// storeOf returns the store of a field of type t, or nil if the driver can store
// its values itself.
func storeOf(t reflect.Type, asJSON, convert bool) store {
	if inner, ok := nullable(t); ok {
		if s := storeOf(inner, asJSON, convert); s != nil {
			return nullStore(t, s)
		}
		return nil
	}
	base := t
	for base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	switch {
	case asJSON, convert && isJSON(base):
		return jsonStore(t)
	case !convert:
		return nil
	case t != base:
		if s := storeOf(t.Elem(), asJSON, convert); s != nil {
			return pointerStore(t.Elem(), s)
		}
		return nil
	}
	return convertStore(t)
}

// convertStore is storeOf for types that are neither JSON nor pointers.
func convertStore(t reflect.Type) store {
	switch {
	case t == timeType:
		return storeTime
	case scansItself(t):
		return nil
	case plain(t).Kind() == reflect.Bool:
		return storeBool
	case plain(t) == bytesType:
		return storeBytes
	case shapes[plain(t)] != other, t.Kind() == reflect.Interface:
		return nil
	case reflect.PointerTo(t).Implements(textType):
		return textStore(t)
	case t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8:
		return arrayStore(t.Len())
	}
	return nil
}

// isJSON reports whether a type can only be read from JSON.
func isJSON(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Struct, reflect.Array:
	default:
		return false
	}
	bytes := t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
	return shapes[plain(t)] == other && !bytes && !scansItself(t) && !reflect.PointerTo(t).Implements(textType)
}

// nullable returns the type inside a [sql.Null], or one of its older siblings.
func nullable(t reflect.Type) (inner reflect.Type, ok bool) {
	if t.Kind() != reflect.Struct || t.PkgPath() != "database/sql" || t.NumField() != 2 || t.Field(1).Name != "Valid" {
		return nil, false
	}
	return t.Field(0).Type, true
}

// nullStore is the store of a nullable type around s.
func nullStore(t reflect.Type, s store) store {
	valid := t.Field(1).Offset
	return func(p unsafe.Pointer, src any) error {
		reflect.NewAt(t, p).Elem().SetZero()
		if src == nil {
			return nil
		}
		*(*bool)(unsafe.Add(p, valid)) = true
		return s(p, src)
	}
}

// pointerStore is the store of a pointer to an element with the store s.
func pointerStore(elem reflect.Type, s store) store {
	return func(p unsafe.Pointer, src any) error {
		if src == nil {
			*(*unsafe.Pointer)(p) = nil
			return nil
		}
		made := reflect.New(elem).UnsafePointer()
		*(*unsafe.Pointer)(p) = made
		return s(made, src)
	}
}

// storeBool accepts what [driver.Bool] accepts, and a byte of 0 or 1.
func storeBool(p unsafe.Pointer, src any) error {
	if src == nil {
		return ErrNull
	}
	if b, ok := src.([]byte); ok && len(b) == 1 && b[0] <= 1 {
		*(*bool)(p) = b[0] == 1
		return nil
	}
	v, err := driver.Bool.ConvertValue(src)
	if err != nil {
		return fmt.Errorf("%w: %w", convertError(fmt.Sprintf("a value of type %T that is neither true nor false", src)), err)
	}
	*(*bool)(p) = v.(bool)
	return nil
}

// storeBytes keeps apart what SQLite's driver gives alike: no bytes, which are not
// nil, and NULL.
func storeBytes(p unsafe.Pointer, src any) error {
	into := (*[]byte)(p)
	switch v := src.(type) {
	case nil:
		*into = nil
		return nil
	case []byte:
		*into = append([]byte{}, v...)
		return nil
	}
	var other sql.Null[[]byte]
	if err := other.Scan(src); err != nil {
		return convertError(fmt.Sprintf("a value of type %T that is no bytes", src))
	}
	*into = other.V
	return nil
}

// textStore is the store of a type that implements [encoding.TextUnmarshaler].
func textStore(t reflect.Type) store {
	return func(p unsafe.Pointer, src any) error {
		var text []byte
		switch v := src.(type) {
		case nil:
			return ErrNull
		case string:
			text = []byte(v)
		case []byte:
			text = append(text, v...)
		case int64:
			text = strconv.AppendInt(text, v, 10)
		case float64:
			text = strconv.AppendFloat(text, v, 'f', -1, 64)
		default:
			return convertError(fmt.Sprintf("a value of type %T, and it reads text", src))
		}
		if err := reflect.NewAt(t, p).Interface().(encoding.TextUnmarshaler).UnmarshalText(text); err != nil {
			return fmt.Errorf("%w: %w", convertError("a text that it does not understand"), err)
		}
		return nil
	}
}

// arrayStore is the store of an array of n bytes.
func arrayStore(n int) store {
	return func(p unsafe.Pointer, src any) error {
		into := unsafe.Slice((*byte)(p), n)
		var given []byte
		switch v := src.(type) {
		case nil:
			return ErrNull
		case []byte:
			given = v
		case string:
			given = []byte(v)
		}
		if n == uuidLen && len(given) != n {
			given = uuid(given)
		}
		if len(given) != n {
			return convertError(fmt.Sprintf("a value of type %T that is not %d bytes", src, n))
		}
		copy(into, given)
		return nil
	}
}

const uuidLen = 16

// uuid returns the bytes of a UUID's text, with or without hyphens; nil if it is
// none.
func uuid(text []byte) []byte {
	s := string(text)
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return nil
		}
		s = strings.ReplaceAll(s, "-", "")
	}
	raw, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return raw
}

// jsonStore is the store of a type that is read from JSON. Numbers and bools
// are JSON themselves: SQLite turns JSON text into them if the column's type has
// numeric affinity, as a type named JSON has.
func jsonStore(t reflect.Type) store {
	return func(p unsafe.Pointer, src any) error {
		into := reflect.NewAt(t, p)
		var text []byte
		switch v := src.(type) {
		case nil:
			switch t.Kind() {
			case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
				into.Elem().SetZero()
				return nil
			default:
				return ErrNull
			}
		case string:
			text = []byte(v)
		case []byte:
			text = v
		case int64:
			text = strconv.AppendInt(text, v, 10)
		case float64:
			text = strconv.AppendFloat(text, v, 'g', -1, 64)
		case bool:
			text = strconv.AppendBool(text, v)
		default:
			return convertError(fmt.Sprintf("a value of type %T, and it reads JSON", src))
		}
		into.Elem().SetZero() // Unmarshal adds to what is there
		if err := json.Unmarshal(text, into.Interface()); err != nil {
			return fmt.Errorf("%w: %w", convertError("a text that is no JSON of its kind"), err)
		}
		return nil
	}
}

var _ sql.Scanner = (*adapter)(nil)
