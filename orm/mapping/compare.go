package mapping

import (
	"bytes"
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
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return func(a, b unsafe.Pointer) bool {
			x, y := *(*[]byte)(a), *(*[]byte)(b)
			return (x == nil) == (y == nil) && bytes.Equal(x, y) // nil is NULL
		}
	}
	return func(a, b unsafe.Pointer) bool {
		return reflect.DeepEqual(reflect.NewAt(t, a).Elem().Interface(), reflect.NewAt(t, b).Elem().Interface())
	}
}

// AppendChanged appends the indices of the columns in which an object differs
// from a snapshot of it.
func (t *Table) AppendChanged(dst []int, obj, snapshot unsafe.Pointer) []int {
	for i, c := range t.Columns {
		if !c.equal(unsafe.Add(obj, c.offset), unsafe.Add(snapshot, c.offset)) {
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
