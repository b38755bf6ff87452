// Package memory is where code outside orm/mapping and engine/scan, which read
// and write fields by their offsets, gets the little that it needs of package
// unsafe. Each name says what its caller guarantees.
package memory

import "unsafe"

// Pointer is the address of an object or of a field, whose type the code that
// reads it knows from elsewhere: a table of package mapping, a column's type.
type Pointer = unsafe.Pointer

// PointerSize is how many bytes a Pointer has.
const PointerSize = unsafe.Sizeof(Pointer(nil))

// At returns the address of the field at an offset in the object at base. The
// offset is that of a field of the object's type.
func At(base Pointer, offset uintptr) Pointer { return unsafe.Add(base, offset) }

// Offset returns how far behind base field is. If field lies before base, the
// result is greater than the size of any type.
func Offset(base, field Pointer) uintptr { return uintptr(field) - uintptr(base) }

// Objects returns the addresses of objects as pointers to T, in the same memory.
// Each of them is a T.
func Objects[T any](objs []Pointer) []*T {
	return unsafe.Slice((**T)(Pointer(unsafe.SliceData(objs))), len(objs))
}

// Object returns the address of an object as a V. V is a pointer to the object's
// type.
func Object[V any](obj Pointer) V { return *(*V)(Pointer(&obj)) }

// Address returns an address as a number, for a place in a table. The number
// does not keep the object, so it must not become an address again.
func Address(p Pointer) uintptr { return uintptr(p) }

// TextAddress returns the address of a text's bytes, as [Address] does.
func TextAddress(text string) uintptr { return uintptr(Pointer(unsafe.StringData(text))) }

// SameText reports whether two texts are the same bytes at the same address. It
// says nothing of a text that nobody keeps any more.
func SameText(a, b string) bool {
	return len(a) == len(b) && unsafe.StringData(a) == unsafe.StringData(b)
}
