package dbname

import (
	"database/sql/driver"
	"reflect"
)

var (
	driverType    = reflect.TypeFor[driver.Driver]()
	connectorType = reflect.TypeFor[driver.Connector]()
)

// find returns the value of a known package that v is, points to, or wraps: in
// a field that is a driver or a connector.
func find(v reflect.Value, depth int) (reflect.Value, kind) {
	v = indirect(v)
	if !v.IsValid() {
		return v, other
	}
	if p, ok := packageOf(v); ok {
		return v, p.kind
	}
	if v.Kind() != reflect.Struct || depth == 0 {
		return reflect.Value{}, other
	}
	for i := range v.NumField() {
		t := v.Type().Field(i).Type
		if !t.Implements(driverType) && !t.Implements(connectorType) {
			continue
		}
		if inner, k := find(v.Field(i), depth-1); inner.IsValid() {
			return inner, k
		}
	}
	return reflect.Value{}, other
}

// indirect follows pointers and interfaces; the result is not valid if one is nil.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// field returns what a field of a struct holds or points to; not valid if v is
// no struct or has no such field.
func field(v reflect.Value, name string) reflect.Value {
	v = indirect(v)
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	f, ok := v.Type().FieldByName(name)
	if !ok {
		return reflect.Value{}
	}
	got, err := v.FieldByIndexErr(f.Index)
	if err != nil {
		return reflect.Value{}
	}
	return indirect(got)
}

// text returns a field that is a string, or "".
func text(v reflect.Value, name string) string {
	if f := field(v, name); f.Kind() == reflect.String {
		return f.String()
	}
	return ""
}

// number returns a field that is an unsigned number, or 0.
func number(v reflect.Value, name string) int {
	if f := field(v, name); f.CanUint() {
		return int(f.Uint())
	}
	return 0
}

// entry returns a string that a map holds under a key, or "".
func entry(m reflect.Value, key string) string {
	if m.Kind() != reflect.Map || m.Type().Key().Kind() != reflect.String {
		return ""
	}
	if e := indirect(m.MapIndex(reflect.ValueOf(key).Convert(m.Type().Key()))); e.Kind() == reflect.String {
		return e.String()
	}
	return ""
}

// value returns what a field of a type holds, or false if there is none.
func value[T any](f reflect.Value) (T, bool) {
	if !f.CanAddr() || f.Type() != reflect.TypeFor[T]() {
		var none T
		return none, false
	}
	// Through its address, as the field of another package may be private.
	return *(*T)(f.Addr().UnsafePointer()), true
}

// typeName returns the name of an error's type, without its package.
func typeName(err error) string {
	v := indirect(reflect.ValueOf(err))
	if !v.IsValid() {
		return ""
	}
	return v.Type().Name()
}
