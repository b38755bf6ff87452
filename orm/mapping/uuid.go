package mapping

import (
	"reflect"
	"strings"
	"unsafe"
)

// isTextUUID reports whether the column's SQL type is uuid and the field holds
// text. A database returns such a UUID in its own form.
func (c *Column) isTextUUID() bool {
	return strings.EqualFold(c.SQLType, "uuid") && pointee(c.Type).Kind() == reflect.String && !c.JSON && !isValuer(pointee(c.Type))
}

// equalUUID compares UUIDs in text form, or pointers to them.
func equalUUID(t reflect.Type) func(a, b unsafe.Pointer) bool {
	same := func(a, b unsafe.Pointer) bool { return CanonicalUUID(*(*string)(a)) == CanonicalUUID(*(*string)(b)) }
	if t.Kind() == reflect.String {
		return same
	}
	return func(a, b unsafe.Pointer) bool {
		x, y := *(*unsafe.Pointer)(a), *(*unsafe.Pointer)(b)
		if x == nil || y == nil {
			return x == y
		}
		return same(x, y)
	}
}

// CanonicalUUID returns a UUID as databases write it: in lower case, with four
// hyphens and no braces. Other text is returned in lower case.
func CanonicalUUID(s string) string {
	const length = 36
	if len(s) == length && strings.IndexFunc(s, isUpper) < 0 {
		return s
	}
	s = strings.ToLower(s)
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-{}", r) {
			return -1
		}
		return r
	}, strings.TrimPrefix(s, "urn:uuid:"))
	if len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return s
	}
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

func isUpper(r rune) bool { return r >= 'A' && r <= 'Z' }
