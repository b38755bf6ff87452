package mapping

import (
	"reflect"
	"unsafe"
)

// Object returns the object at p as a pointer to the table's type.
func (t *Table) Object(p unsafe.Pointer) any { return reflect.NewAt(t.Type, p).Interface() }
