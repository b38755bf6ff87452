package mapping

import (
	"reflect"
	"unsafe"
)

// Object returns the object at p, which is of the table's type, as a pointer to
// it.
func (t *Table) Object(p unsafe.Pointer) any { return reflect.NewAt(t.Type, p).Interface() }
