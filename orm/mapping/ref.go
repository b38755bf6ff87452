package mapping

import (
	"reflect"
	"time"
	"unsafe"
)

// Ref returns the column's value in the object at obj as a pointer to the
// field, without allocating, if the field is a bool, a string, an int of at
// least 16 bits, a float64, a time, or a pointer to one of them; a nil pointer
// gives nil. For other types it returns what [Column.Value] returns for a
// database with arrays. The object must not be changed while the pointer is in
// use.
func (c *Column) Ref(obj unsafe.Pointer) (any, error) {
	if c.ref == nil || c.moment() {
		return c.Value(obj, true)
	}
	return c.ref(unsafe.Add(obj, c.offset)), nil
}

func refTo[T any](p unsafe.Pointer) any { return (*T)(p) }

// refs return pointers to values of the basic kinds, including named types.
var refs = map[reflect.Kind]func(p unsafe.Pointer) any{
	reflect.Bool: refTo[bool], reflect.String: refTo[string], reflect.Float64: refTo[float64],
	reflect.Int: refTo[int], reflect.Int16: refTo[int16], reflect.Int32: refTo[int32], reflect.Int64: refTo[int64],
}

// refFor returns the function that returns a pointer to a value of a type, or
// nil.
func refFor(t reflect.Type) func(p unsafe.Pointer) any {
	switch {
	case t == timeType:
		return refTo[time.Time]
	case t.Kind() == reflect.Pointer:
		elem := refFor(t.Elem())
		if elem == nil || t.Elem().Kind() == reflect.Pointer {
			return nil
		}
		return func(p unsafe.Pointer) any {
			if p = *(*unsafe.Pointer)(p); p == nil {
				return nil
			}
			return elem(p)
		}
	case isValuer(t):
		return nil
	}
	return refs[t.Kind()]
}
