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

// SetTemporary sets the column to a value that no row has, until it gets its
// final one: NULL if it is nullable, otherwise a random one. It reports false
// if the column's type allows neither: a bool, a foreign key that can't be
// NULL, a type with its own way of storing itself.
func (c *Column) SetTemporary(obj unsafe.Pointer) bool {
	switch {
	case c.PK || c.Generated || c.ReadOnly || c.Version || c.JSON:
		return false
	case c.Nullable:
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
		field.SetInt(-n - int64(random()%uint64(n)))  //nolint:gosec // below 2^30
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

// temporaryTime is a moment that every type of a date and time can keep.
func temporaryTime() time.Time {
	const years = 30 * 365 * 24 * 60 * 60 * 1e6
	return time.Unix(2*24*60*60, 0).UTC().Add(time.Duration(random()%years) * time.Microsecond) //nolint:gosec // below 2^50
}

// temporaryText is a text by chance: as long as the column takes for certain, by
// its type in the tag or the value that it has, but of 8 letters at least.
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
