package mapping

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// SetTemporary sets the column to a value that no row has, for use until it
// gets its final one: NULL if it is nullable, otherwise a random value. It
// reports false, and sets nothing, if neither is possible: for a version, a
// generated or read-only column, JSON, a bool, a foreign key that can't be NULL,
// or a type that stores itself in its own way.
func (c *Column) SetTemporary(obj unsafe.Pointer) bool {
	switch {
	case c.Generated || c.ReadOnly || c.Version || c.JSON:
		return false
	case c.Nullable && !c.PK:
		c.SetZero(obj)
		return true
	case c.References != nil || c.refers.Load():
		return false
	}
	field := reflect.NewAt(c.Type, unsafe.Add(obj, c.offset)).Elem()
	switch {
	case c.Type == timeType:
		field.Set(reflect.ValueOf(temporaryTime()))
	case c.Type.Kind() == reflect.Array && c.Type.Elem().Kind() == reflect.Uint8:
		_, _ = rand.Read(field.Slice(0, field.Len()).Bytes()) // it never fails
	case isValuer(c.Type):
		return false
	case field.Kind() == reflect.String:
		field.SetString(c.temporaryText(field.Len()))
	case field.CanInt():
		n := int64(1) << (min(32, c.Type.Bits()) - 2) // it fits an INT as well
		field.SetInt(-n - int64(random()%uint64(n)))
	case field.CanUint():
		n := uint64(1) << (min(32, c.Type.Bits()) - 1)
		field.SetUint(n - 1 - random()%(n/2))
	case field.CanFloat():
		field.SetFloat(-float64(random() >> 40))
	default:
		return false
	}
	return true
}

func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.BigEndian.Uint64(b[:])
}

// temporaryTime returns a moment that every date and time type can hold.
func temporaryTime() time.Time {
	const years = 30 * 365 * 24 * 60 * 60 * 1e6
	return time.Unix(2*24*60*60, 0).UTC().Add(time.Duration(random()%years) * time.Microsecond)
}

// temporaryText returns random text, as long as the column is known to allow,
// by its type in the tag or its current value, but of at least 8 letters.
func (c *Column) temporaryText(long int) string {
	if c.textUUID {
		b := make([]byte, 16)
		_, _ = rand.Read(b)
		return CanonicalUUID(hex.EncodeToString(b))
	}
	text := rand.Text()
	_, size, _ := strings.Cut(c.SQLType, "(")
	if n, err := strconv.Atoi(strings.TrimRight(size, ") ")); err == nil {
		return text[:min(n, len(text))]
	}
	return text[:min(max(long, 8), len(text))]
}
