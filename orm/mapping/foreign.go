package mapping

import (
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// Refer sets a foreign key's column in the object at obj to the value of the
// column key in the object at parent. It fails if the value does not fit.
func (c *Column) Refer(obj unsafe.Pointer, key *Column, parent unsafe.Pointer) error {
	if c.Type == key.Type {
		c.clone(unsafe.Add(obj, c.offset), unsafe.Add(parent, key.offset))
		return nil
	}
	if c.integer && key.integer {
		return c.SetInt(obj, key.Int(parent))
	}
	field := reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Elem()
	switch field.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(c.Type.Elem())
		if err := c.set(fresh.Elem(), key, parent); err != nil {
			return err
		}
		field.Set(fresh)
	case reflect.Struct: // a sql.Null
		if err := c.set(field.Field(0), key, parent); err != nil {
			return err
		}
		field.FieldByName("Valid").SetBool(true)
	default:
		return c.set(field, key, parent)
	}
	return nil
}

func (c *Column) set(field reflect.Value, key *Column, parent unsafe.Pointer) error {
	v := reflect.NewAt(key.Type, unsafe.Add(parent, key.offset)).Elem()
	if field.Type() == v.Type() {
		field.Set(v)
		return nil
	}
	n := key.Int(parent)
	switch {
	case field.CanInt() && !field.OverflowInt(n):
		field.SetInt(n)
	case field.CanUint() && n >= 0 && !field.OverflowUint(uint64(n)):
		field.SetUint(uint64(n))
	default:
		return fmt.Errorf("mapping: the key %s does not fit into %s of type %s", key.Field, c.Field, c.Type)
	}
	return nil
}

// RefersTo reports whether a foreign key's column in the object at obj has the
// value of the column key in the object at parent.
func (c *Column) RefersTo(obj unsafe.Pointer, key *Column, parent unsafe.Pointer) bool {
	if c.integer && key.integer {
		return c.Int(obj) == key.Int(parent)
	}
	field := reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Elem()
	switch {
	case c.Null(obj):
		return false
	case field.Kind() == reflect.Pointer:
		field = field.Elem()
	case c.Nullable && field.Kind() == reflect.Struct:
		field = field.Field(0)
	}
	v := reflect.NewAt(key.Type, unsafe.Add(parent, key.offset)).Elem()
	if (c.textUUID || key.textUUID) && field.Kind() == reflect.String && v.Kind() == reflect.String {
		return CanonicalUUID(field.String()) == CanonicalUUID(v.String())
	}
	if at, ok := reflect.TypeAssert[time.Time](field); ok && v.Type() == timeType {
		return at.Truncate(time.Microsecond).Equal((*time.Time)(v.Addr().UnsafePointer()).Truncate(time.Microsecond))
	}
	if field.Type() == v.Type() {
		return field.Equal(v)
	}
	if field.CanInt() {
		return field.Int() == key.Int(parent)
	}
	return field.CanUint() && int64(field.Uint()) == key.Int(parent)
}

// Null reports whether the column is NULL in the object at obj.
func (c *Column) Null(obj unsafe.Pointer) bool {
	if !c.Nullable {
		return false
	}
	field := reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Elem()
	if field.Kind() == reflect.Struct {
		return !field.FieldByName("Valid").Bool()
	}
	return field.IsNil()
}

// SetZero sets the column to its zero value, which is NULL if the field can
// hold NULL.
func (c *Column) SetZero(obj unsafe.Pointer) {
	reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Elem().SetZero()
}
