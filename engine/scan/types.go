package scan

import (
	"database/sql"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[[]byte]()
	rawJSONType  = reflect.TypeFor[json.RawMessage]()
	rawBytesType = reflect.TypeFor[sql.RawBytes]()
	scannerType  = reflect.TypeFor[sql.Scanner]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	anyType      = reflect.TypeFor[any]()
	mappingType  = reflect.TypeFor[map[string]any]()
)

// isRecord reports whether a type is a struct whose fields take columns, and
// not one that is a value itself.
func isRecord(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && !scansItself(t) && !reflect.PointerTo(t).Implements(textType)
}

// scansItself reports whether a pointer to a type has methods through which
// database/sql or pgx passes values.
func scansItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	if p.Implements(scannerType) {
		return true
	}
	for m := range p.Methods() {
		if takesFromPGX(m) {
			return true
		}
	}
	return false
}

// takesFromPGX reports whether a method is one of the many through which pgx
// passes a value: ScanInt64(pgtype.Int8), ScanUUID(pgtype.UUID) … and the few
// without a type of pgtype.
func takesFromPGX(m reflect.Method) bool {
	switch m.Name {
	case "ScanNull", "ScanBytes", "ScanUint64", "ScanNetipPrefix":
		return true
	}
	return strings.HasPrefix(m.Name, "Scan") && m.Type.NumIn() == 2 && strings.HasSuffix(m.Type.In(1).PkgPath(), "/pgtype")
}

// plain returns the type that a driver is given in place of t: the basic type of
// the same kind, unless t has scanning methods of its own, because drivers fill a
// *string faster than a *Status.
func plain(t reflect.Type) reflect.Type {
	switch {
	case t.Kind() == reflect.Pointer:
		return reflect.PointerTo(plain(t.Elem()))
	case t == rawJSONType:
		return bytesType
	case t == durationType || t == rawBytesType || scansItself(t):
		return t
	}
	if basic, ok := basics[t.Kind()]; ok {
		return basic
	}
	if t.Kind() == reflect.Slice && t.Elem() == bytesType.Elem() && !reflect.PointerTo(t).Implements(textType) {
		return bytesType
	}
	return t
}

// basics are the predeclared types.
var basics = map[reflect.Kind]reflect.Type{
	reflect.Bool: reflect.TypeFor[bool](), reflect.String: reflect.TypeFor[string](),
	reflect.Int: reflect.TypeFor[int](), reflect.Int8: reflect.TypeFor[int8](), reflect.Int16: reflect.TypeFor[int16](),
	reflect.Int32: reflect.TypeFor[int32](), reflect.Int64: reflect.TypeFor[int64](),
	reflect.Uint: reflect.TypeFor[uint](), reflect.Uint8: reflect.TypeFor[uint8](), reflect.Uint16: reflect.TypeFor[uint16](),
	reflect.Uint32: reflect.TypeFor[uint32](), reflect.Uint64: reflect.TypeFor[uint64](),
	reflect.Float32: reflect.TypeFor[float32](), reflect.Float64: reflect.TypeFor[float64](),
}

// refused returns the reason why no value can be scanned into a type; nil if one
// can.
func refused(t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return convertError("no value of a database fits into it")
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return convertError("an interface with methods does not say which type to make")
		}
	default:
	}
	if t == rawBytesType {
		return convertError("sql.RawBytes points into memory of the driver: use []byte")
	}
	return nil
}
