package mapping

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// Value returns the column's value in the object at obj, which must be of the
// table's type, as an argument of a statement: a basic type, a time, a slice of
// bytes, a [driver.Valuer] or nil, or, if arrays says that the database
// supports them, a list or an array of bytes. It fails if a value can't be
// encoded as JSON.
func (c *Column) Value(obj unsafe.Pointer, arrays bool) (any, error) {
	return c.value(unsafe.Add(obj, c.offset), arrays)
}

// Pointer returns a pointer to the column's field in the object at obj; its
// type is a pointer to [Column].Type.
func (c *Column) Pointer(obj unsafe.Pointer) any {
	return reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Interface()
}

// Zero reports whether the field is zero.
func (c *Column) Zero(obj unsafe.Pointer) bool {
	return reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Elem().IsZero()
}

// Integer reports whether the column's type is an integer.
func (c *Column) Integer() bool { return c.integer }

// Int returns the value of an integer column, a uint64 by its bits; 0 for any
// other column. It does not allocate.
func (c *Column) Int(obj unsafe.Pointer) int64 {
	p := unsafe.Add(obj, c.offset)
	switch c.Type.Kind() {
	case reflect.Int:
		return int64(*(*int)(p))
	case reflect.Int8:
		return int64(*(*int8)(p))
	case reflect.Int16:
		return int64(*(*int16)(p))
	case reflect.Int32:
		return int64(*(*int32)(p))
	case reflect.Int64:
		return *(*int64)(p)
	case reflect.Uint:
		return int64(*(*uint)(p))
	case reflect.Uint8:
		return int64(*(*uint8)(p))
	case reflect.Uint16:
		return int64(*(*uint16)(p))
	case reflect.Uint32:
		return int64(*(*uint32)(p))
	case reflect.Uint64:
		return int64(*(*uint64)(p))
	default:
		return 0
	}
}

// TextUUID reports whether the column has the SQL type uuid, by its tag, and
// its field holds text. Values are in the form of [CanonicalUUID].
func (c *Column) TextUUID() bool { return c.textUUID }

// Text returns the value of a column whose type is a string; "" for any other
// column. It allocates only for a UUID that is not in the database's form.
func (c *Column) Text(obj unsafe.Pointer) string {
	if c.Type.Kind() != reflect.String {
		return ""
	}
	text := *(*string)(unsafe.Add(obj, c.offset))
	if c.textUUID {
		return CanonicalUUID(text)
	}
	return text
}

// SetInt sets an integer column. It fails if n does not fit.
func (c *Column) SetInt(obj unsafe.Pointer, n int64) error {
	field := reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Elem()
	switch {
	case field.CanInt() && !field.OverflowInt(n):
		field.SetInt(n)
	case field.CanUint() && n >= 0 && !field.OverflowUint(uint64(n)):
		field.SetUint(uint64(n))
	default:
		return fmt.Errorf("mapping: %d does not fit into %s of type %s", n, c.Field, c.Type)
	}
	return nil
}

// Copy copies the column's value from one object to another.
func (c *Column) Copy(dst, src unsafe.Pointer) {
	c.clone(unsafe.Add(dst, c.offset), unsafe.Add(src, c.offset))
}

// Equal reports whether two objects have the same value in the column, as the
// database would see it.
func (c *Column) Equal(a, b unsafe.Pointer) bool {
	return c.equal(unsafe.Add(a, c.offset), unsafe.Add(b, c.offset))
}

// loaders load values of the basic kinds as drivers take them.
var loaders = map[reflect.Kind]func(p unsafe.Pointer) any{
	reflect.Bool:    func(p unsafe.Pointer) any { return *(*bool)(p) },
	reflect.Int:     func(p unsafe.Pointer) any { return int64(*(*int)(p)) },
	reflect.Int8:    func(p unsafe.Pointer) any { return int64(*(*int8)(p)) },
	reflect.Int16:   func(p unsafe.Pointer) any { return int64(*(*int16)(p)) },
	reflect.Int32:   func(p unsafe.Pointer) any { return int64(*(*int32)(p)) },
	reflect.Int64:   func(p unsafe.Pointer) any { return *(*int64)(p) },
	reflect.Uint:    func(p unsafe.Pointer) any { return uint64(*(*uint)(p)) },
	reflect.Uint8:   func(p unsafe.Pointer) any { return int64(*(*uint8)(p)) },
	reflect.Uint16:  func(p unsafe.Pointer) any { return int64(*(*uint16)(p)) },
	reflect.Uint32:  func(p unsafe.Pointer) any { return int64(*(*uint32)(p)) },
	reflect.Uint64:  func(p unsafe.Pointer) any { return *(*uint64)(p) },
	reflect.Float32: func(p unsafe.Pointer) any { return float64(*(*float32)(p)) },
	reflect.Float64: func(p unsafe.Pointer) any { return *(*float64)(p) },
	reflect.String:  func(p unsafe.Pointer) any { return *(*string)(p) },
}

// loadFor returns the function that loads values of a type.
func loadFor(t reflect.Type) func(p unsafe.Pointer) any {
	switch {
	case t.Kind() == reflect.Pointer:
		elem := loadFor(t.Elem())
		return func(p unsafe.Pointer) any {
			if p = *(*unsafe.Pointer)(p); p == nil {
				return nil
			}
			return elem(p)
		}
	case t == timeType:
		return func(p unsafe.Pointer) any { return *(*time.Time)(p) }
	case reflect.PointerTo(t).Implements(valuerType) && !t.Implements(valuerType):
		return func(p unsafe.Pointer) any { return reflect.NewAt(t, p).Interface().(driver.Valuer) }
	case isValuer(t):
		return loadAny(t)
	}
	if load := loaders[t.Kind()]; load != nil {
		return load
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return func(p unsafe.Pointer) any {
			if b := *(*[]byte)(p); b != nil {
				return b
			}
			return nil
		}
	}
	return loadAny(t)
}

// loadAny loads values unchanged; nil if they are nil.
func loadAny(t reflect.Type) func(p unsafe.Pointer) any {
	canBeNil := t.Kind() == reflect.Map || t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface
	return func(p unsafe.Pointer) any {
		v := reflect.NewAt(t, p).Elem()
		if canBeNil && v.IsNil() {
			return nil
		}
		return v.Interface()
	}
}
