package mapping

import (
	"bytes"
	"reflect"
	"time"
	"unsafe"
)

// New returns a new object of the table's type, zero.
func (t *Table) New() unsafe.Pointer { return reflect.New(t.Type).UnsafePointer() }

// Snapshot returns a copy of an object's columns that shares no memory with
// it, so that no change of the object changes the copy. Fields without a
// column are left zero.
func (t *Table) Snapshot(obj unsafe.Pointer) unsafe.Pointer {
	out := t.New()
	t.CopyAll(out, obj)
	return out
}

// Blocks returns a function that returns new objects like [Table.New], but
// allocates several at a time, which are freed together. The first few are
// allocated singly, later ones in blocks of at most n.
func (t *Table) Blocks(n int) func() unsafe.Pointer {
	var next unsafe.Pointer
	list, size := reflect.SliceOf(t.Type), t.Type.Size()
	made, left := 0, 0
	return func() unsafe.Pointer {
		made++
		if left > 0 {
			next = unsafe.Add(next, size)
			left--
			return next
		}
		if n := min(n, made/4); n > 1 {
			next, left = reflect.MakeSlice(list, n, n).UnsafePointer(), n-1
			return next
		}
		return t.New()
	}
}

// CopyAll copies the values of all columns from one object to another; see
// [Table.Snapshot].
func (t *Table) CopyAll(dst, src unsafe.Pointer) {
	for _, c := range t.Columns {
		c.clone(unsafe.Add(dst, c.offset), unsafe.Add(src, c.offset))
	}
}

func assign[T any](dst, src unsafe.Pointer) { *(*T)(dst) = *(*T)(src) }

var assigners = map[reflect.Kind]func(dst, src unsafe.Pointer){
	reflect.Bool: assign[bool], reflect.String: assign[string],
	reflect.Int: assign[int], reflect.Int8: assign[int8], reflect.Int16: assign[int16], reflect.Int32: assign[int32], reflect.Int64: assign[int64],
	reflect.Uint: assign[uint], reflect.Uint8: assign[uint8], reflect.Uint16: assign[uint16], reflect.Uint32: assign[uint32], reflect.Uint64: assign[uint64],
	reflect.Float32: assign[float32], reflect.Float64: assign[float64],
}

// assignPointed copies the value that a pointer points to, which is of a basic
// kind or a time.
func assignPointed[T any](dst, src unsafe.Pointer) {
	p := *(**T)(src)
	if p != nil {
		q := new(T)
		*q, p = *p, q
	}
	*(**T)(dst) = p
}

// pointed are the assigners for pointers.
var pointed = map[reflect.Kind]func(dst, src unsafe.Pointer){
	reflect.Bool: assignPointed[bool], reflect.String: assignPointed[string],
	reflect.Int: assignPointed[int], reflect.Int8: assignPointed[int8], reflect.Int16: assignPointed[int16], reflect.Int32: assignPointed[int32],
	reflect.Int64: assignPointed[int64], reflect.Uint: assignPointed[uint], reflect.Uint8: assignPointed[uint8], reflect.Uint16: assignPointed[uint16],
	reflect.Uint32: assignPointed[uint32], reflect.Uint64: assignPointed[uint64],
	reflect.Float32: assignPointed[float32], reflect.Float64: assignPointed[float64],
}

// cloneBytes copies a slice of bytes; nil stays nil.
func cloneBytes(dst, src unsafe.Pointer) { *(*[]byte)(dst) = bytes.Clone(*(*[]byte)(src)) }

// cloneFor returns the function that copies values of a type.
func cloneFor(t reflect.Type) func(dst, src unsafe.Pointer) {
	if a := assigners[t.Kind()]; a != nil {
		return a
	}
	switch {
	case t == timeType:
		return assign[time.Time]
	case t.Kind() == reflect.Pointer && t.Elem() == timeType:
		return assignPointed[time.Time]
	case t.Kind() == reflect.Pointer && pointed[t.Elem().Kind()] != nil:
		return pointed[t.Elem().Kind()]
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return cloneBytes
	case flat(t):
		return func(dst, src unsafe.Pointer) { reflect.NewAt(t, dst).Elem().Set(reflect.NewAt(t, src).Elem()) }
	}
	return func(dst, src unsafe.Pointer) {
		reflect.NewAt(t, dst).Elem().Set(deepCopy(reflect.NewAt(t, src).Elem()))
	}
}

// flat reports whether a copy of a value shares no data that can change.
func flat(t reflect.Type) bool {
	if t == timeType { // its zone is never changed
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !flat(f.Type) {
				return false
			}
		}
		return true
	default:
		return true
	}
}

// deepCopy copies a value with everything it points to. Unexported fields share
// their data with the original: a type with such fields is assumed not to be
// changed in place.
func deepCopy(v reflect.Value) reflect.Value {
	if flat(v.Type()) {
		return v
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(deepCopy(v.Elem()))
		return out.Convert(v.Type())
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		if flat(v.Type().Elem()) {
			reflect.Copy(out, v)
			return out
		}
		for i := range v.Len() {
			out.Index(i).Set(deepCopy(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), deepCopy(it.Value()))
		}
		return out
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		return deepCopy(v.Elem())
	case reflect.Array, reflect.Struct:
		return deepCopyParts(v)
	default:
		return v
	}
}

func deepCopyParts(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	if v.Kind() == reflect.Array {
		for i := range v.Len() {
			out.Index(i).Set(deepCopy(v.Index(i)))
		}
		return out
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			out.Field(i).Set(deepCopy(v.Field(i)))
		}
	}
	return out
}
