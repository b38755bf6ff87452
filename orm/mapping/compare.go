package mapping

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

var rawType = reflect.TypeFor[json.RawMessage]()

// comparers compare values of the basic kinds.
var comparers = map[reflect.Kind]func(a, b unsafe.Pointer) bool{
	reflect.Bool: same[bool], reflect.String: same[string],
	reflect.Int: same[int], reflect.Int8: same[int8], reflect.Int16: same[int16], reflect.Int32: same[int32], reflect.Int64: same[int64],
	reflect.Uint: same[uint], reflect.Uint8: same[uint8], reflect.Uint16: same[uint16], reflect.Uint32: same[uint32], reflect.Uint64: same[uint64],
	reflect.Float32: sameFloat[float32], reflect.Float64: sameFloat[float64],
}

func same[T comparable](a, b unsafe.Pointer) bool { return *(*T)(a) == *(*T)(b) }

// sameFloat treats NaN as equal to itself: a value that was read has not
// changed.
func sameFloat[T float32 | float64](a, b unsafe.Pointer) bool {
	x, y := *(*T)(a), *(*T)(b)
	return x == y || x != x && y != y //nolint:staticcheck // the test for NaN
}

// equalFor returns the function that compares values of a type.
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
	case t == rawType:
		return func(a, b unsafe.Pointer) bool { return sameJSON(*(*json.RawMessage)(a), *(*json.RawMessage)(b)) }
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return func(a, b unsafe.Pointer) bool {
			x, y := *(*[]byte)(a), *(*[]byte)(b)
			return (x == nil) == (y == nil) && bytes.Equal(x, y) // nil is NULL
		}
	case t.Kind() == reflect.Struct && t.PkgPath() == "database/sql" && t.NumField() == 2: // a sql.Null
		value, valid := equalFor(t.Field(0).Type), t.Field(1).Offset
		return func(a, b unsafe.Pointer) bool {
			x, y := *(*bool)(unsafe.Add(a, valid)), *(*bool)(unsafe.Add(b, valid))
			return x == y && (!x || value(a, b))
		}
	}
	return func(a, b unsafe.Pointer) bool {
		return sameValue(reflect.NewAt(t, a).Elem(), reflect.NewAt(t, b).Elem())
	}
}

// equalJSON compares values that are stored as JSON. If they differ, it
// compares their JSON text, because a value read back may contain numbers of
// another type.
func equalJSON(equal func(a, b unsafe.Pointer) bool, load func(p unsafe.Pointer) any) func(a, b unsafe.Pointer) bool {
	return func(a, b unsafe.Pointer) bool {
		if equal(a, b) {
			return true
		}
		x, y := load(a), load(b)
		if x == nil || y == nil { // NULL
			return x == nil && y == nil
		}
		one, err := json.Marshal(x)
		other, too := json.Marshal(y)
		return err == nil && too == nil && sameJSON(one, other)
	}
}

// sameValue is [reflect.DeepEqual], but at every level it compares times by the
// moment and JSON by content, and treats NaN as equal to itself.
func sameValue(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() || !a.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return a.Float() == b.Float() || a.Float() != a.Float() && b.Float() != b.Float() //nolint:staticcheck // the test for NaN
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameValue(a.Elem(), b.Elem())
	case reflect.Slice:
		switch {
		case a.IsNil() != b.IsNil() || a.Len() != b.Len() && a.Type() != rawType:
			return false
		case a.Type() == rawType:
			return sameJSON(a.Bytes(), b.Bytes())
		}
		return sameElements(a, b)
	case reflect.Array:
		return sameElements(a, b)
	case reflect.Map:
		return sameMap(a, b)
	case reflect.Struct:
		return sameStruct(a, b)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return a.UnsafePointer() == b.UnsafePointer()
	default:
		return a.Equal(b)
	}
}

func sameElements(a, b reflect.Value) bool {
	for i := range a.Len() {
		if !sameValue(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

func sameMap(a, b reflect.Value) bool {
	if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
		return false
	}
	for it := a.MapRange(); it.Next(); {
		if v := b.MapIndex(it.Key()); !v.IsValid() || !sameValue(it.Value(), v) {
			return false
		}
	}
	return true
}

func sameStruct(a, b reflect.Value) bool {
	if a.Type() == timeType && a.CanInterface() {
		return a.Interface().(time.Time).Equal(b.Interface().(time.Time))
	}
	for i := range a.NumField() {
		if !sameValue(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

// sameJSON reports whether two texts are the same JSON value: a database may
// store them in its own form. nil is NULL.
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
	return ok && too && sameDocument(x, y)
}

// sameDocument compares what JSON texts say. A number may be written in several ways:
// PostgreSQL makes 1e2 100.
func sameDocument(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		return ok && sameNumber(x.String(), y.String())
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, sameDocument)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, sameDocument)
	default:
		return a == b
	}
}

// sameNumber takes numbers of more digits than any program counts with for different
// unless they are written alike.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	const digits = 40
	read := func(text string) (*big.Rat, bool) {
		_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
		if len(text) > digits || len(exponent) > len("+308") {
			return nil, false
		}
		return new(big.Rat).SetString(text)
	}
	x, ok := read(a)
	y, too := read(b)
	return ok && too && x.Cmp(y) == 0
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
