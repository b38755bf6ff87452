package mapping

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"
	"unsafe"
)

// comparers compare values of the basic kinds.
var comparers = map[reflect.Kind]func(a, b unsafe.Pointer) bool{
	reflect.Bool: same[bool], reflect.String: same[string],
	reflect.Int: same[int], reflect.Int8: same[int8], reflect.Int16: same[int16], reflect.Int32: same[int32], reflect.Int64: same[int64],
	reflect.Uint: same[uint], reflect.Uint8: same[uint8], reflect.Uint16: same[uint16], reflect.Uint32: same[uint32], reflect.Uint64: same[uint64],
	reflect.Float32: sameFloat[float32], reflect.Float64: sameFloat[float64],
}

func same[T comparable](a, b unsafe.Pointer) bool { return *(*T)(a) == *(*T)(b) }

// sameFloat takes NaN for equal to itself: what was read has not changed.
func sameFloat[T float32 | float64](a, b unsafe.Pointer) bool {
	x, y := *(*T)(a), *(*T)(b)
	return x == y || x != x && y != y //nolint:gocritic,staticcheck // the test for NaN
}

// equalFor returns how values of a type are compared.
func equalFor(t reflect.Type) func(a, b unsafe.Pointer) bool {
	if t == timeType {
		return func(a, b unsafe.Pointer) bool { return (*time.Time)(a).Equal(*(*time.Time)(b)) }
	}
	if m, ok := t.MethodByName("Equal"); ok && m.Type.NumIn() == 2 && m.Type.In(1) == t &&
		m.Type.NumOut() == 1 && m.Type.Out(0).Kind() == reflect.Bool && t.Kind() != reflect.Pointer {
		return func(a, b unsafe.Pointer) bool {
			return m.Func.Call([]reflect.Value{reflect.NewAt(t, a).Elem(), reflect.NewAt(t, b).Elem()})[0].Bool()
		}
	}
	if compare := comparers[t.Kind()]; compare != nil {
		return compare
	}
	switch {
	case t.Kind() == reflect.Pointer:
		elem := equalFor(t.Elem())
		return func(a, b unsafe.Pointer) bool {
			x, y := *(*unsafe.Pointer)(a), *(*unsafe.Pointer)(b)
			if x == nil || y == nil {
				return x == y
			}
			return elem(x, y)
		}
	case t == reflect.TypeFor[json.RawMessage]():
		return func(a, b unsafe.Pointer) bool { return sameJSON(*(*json.RawMessage)(a), *(*json.RawMessage)(b)) }
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return func(a, b unsafe.Pointer) bool {
			x, y := *(*[]byte)(a), *(*[]byte)(b)
			return (x == nil) == (y == nil) && bytes.Equal(x, y) // nil is NULL
		}
	}
	switch {
	case t.Kind() == reflect.Struct && t.PkgPath() == "database/sql" && t.NumField() == 2: // a sql.Null: times by what they are
		value, valid := equalFor(t.Field(0).Type), t.Field(1).Offset
		return func(a, b unsafe.Pointer) bool {
			x, y := *(*bool)(unsafe.Add(a, valid)), *(*bool)(unsafe.Add(b, valid))
			return x == y && (!x || value(a, b))
		}
	case t.Kind() == reflect.Slice: // NaN is equal to itself in a list too
		return equalList(t)
	}
	return func(a, b unsafe.Pointer) bool {
		return reflect.DeepEqual(reflect.NewAt(t, a).Elem().Interface(), reflect.NewAt(t, b).Elem().Interface())
	}
}

// equalList compares lists element by element; nil is NULL, and no empty list.
func equalList(t reflect.Type) func(a, b unsafe.Pointer) bool {
	if t.Elem().Kind() == reflect.Interface || t.Elem() == t { // nothing is known of its elements
		return func(a, b unsafe.Pointer) bool {
			return reflect.DeepEqual(reflect.NewAt(t, a).Elem().Interface(), reflect.NewAt(t, b).Elem().Interface())
		}
	}
	elem, size := equalFor(t.Elem()), t.Elem().Size()
	return func(a, b unsafe.Pointer) bool {
		x, y := reflect.NewAt(t, a).Elem(), reflect.NewAt(t, b).Elem()
		if x.Len() != y.Len() || x.IsNil() != y.IsNil() {
			return false
		}
		p, q := x.UnsafePointer(), y.UnsafePointer()
		for i := range x.Len() {
			if !elem(unsafe.Add(p, uintptr(i)*size), unsafe.Add(q, uintptr(i)*size)) { //nolint:gosec // not negative
				return false
			}
		}
		return true
	}
}

// sameJSON reports whether two texts say the same: a database may keep them in a
// form of its own. nil is NULL.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) || a == nil || b == nil {
		return (a == nil) == (b == nil)
	}
	read := func(text json.RawMessage) (v any, ok bool) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		ok = d.Decode(&v) == nil
		return v, ok
	}
	x, ok := read(a)
	y, too := read(b)
	return ok && too && reflect.DeepEqual(x, y)
}

// AppendChanged appends the indices of the columns in which an object differs
// from a snapshot of it.
func (t *Table) AppendChanged(dst []int, obj, snapshot unsafe.Pointer) []int {
	for i, c := range t.Columns {
		if c.Written() && !c.equal(unsafe.Add(obj, c.offset), unsafe.Add(snapshot, c.offset)) {
			dst = append(dst, i)
		}
	}
	return dst
}

// Changed reports whether an object differs from a snapshot of it in any
// column.
func (t *Table) Changed(obj, snapshot unsafe.Pointer) bool {
	for i := range t.runs {
		r := &t.runs[i]
		if r.same(obj, snapshot) {
			continue
		}
		for _, c := range r.cols {
			if !c.equal(unsafe.Add(obj, c.offset), unsafe.Add(snapshot, c.offset)) {
				return true
			}
		}
	}
	return false
}
