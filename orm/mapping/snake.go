package mapping

import (
	"strings"
	"unicode"
)

// Snake returns a type's name in snake case, by the rules of package
// engine/scan for fields: OrderItem is order_item.
func Snake(name string) string {
	if i := strings.IndexByte(name, '['); i >= 0 { // the arguments of a generic type
		name = name[:i]
	}
	var b strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && rs[i-1] != '_' &&
			(!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
