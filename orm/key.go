package orm

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Key is a primary key of several columns, in the order of the fields:
//
//	row, err := orm.Get[Row](ctx, s, orm.Key{"tenant", 7})
type Key []any

// ErrInvalidKey is matched by the error for a key whose number of columns, or a
// column's type, is not the table's.
var ErrInvalidKey = errors.New("orm: the key does not fit")

// fill writes a caller's key into an object, so that it can be compared and
// sent like any other.
func fill(t *mapping.Table, obj memory.Pointer, key any) error {
	parts, several := key.(Key)
	if !several {
		parts = Key{key}
	}
	if len(parts) != len(t.Key) {
		return fmt.Errorf("%w: that of %s has %d columns, %d were given", ErrInvalidKey, t.FullName(), len(t.Key), len(parts))
	}
	for i, c := range t.Key {
		field := reflect.ValueOf(c.Pointer(obj)).Elem()
		v := reflect.ValueOf(parts[i])
		switch {
		case v.IsValid() && v.Type().AssignableTo(field.Type()):
			field.Set(v)
		case v.IsValid() && c.Integer() && (v.CanInt() || v.CanUint()):
			if err := c.SetInt(obj, integer(v)); err != nil {
				return fmt.Errorf("%w: that of %s: %w", ErrInvalidKey, t.FullName(), err)
			}
		case v.IsValid() && v.Kind() == field.Kind() && v.Type().ConvertibleTo(field.Type()):
			field.Set(v.Convert(field.Type()))
		default:
			return fmt.Errorf("%w: that of %s: %s is of type %s, %T was given", ErrInvalidKey, t.FullName(), c.Field, c.Type, parts[i])
		}
	}
	return nil
}

// integer returns the value of an integer of any type; a uint64 is converted
// bit by bit.
func integer(v reflect.Value) int64 {
	if v.CanInt() {
		return v.Int()
	}
	return int64(v.Uint())
}
