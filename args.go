package sessionproxy

import "database/sql/driver"

// Args are the arguments of a statement. They can be read, but no shipped
// interceptor records them unless asked to. Args share memory with the caller
// and must not be kept after the call.
type Args struct {
	named []driver.NamedValue
	plain []any
}

// Len returns the number of arguments.
func (a Args) Len() int { return len(a.named) + len(a.plain) }

// At returns the name, empty for a positional argument, and the value of
// argument i, counted from 0. It panics if i is out of range.
func (a Args) At(i int) (name string, value any) {
	if i < len(a.named) {
		return a.named[i].Name, a.named[i].Value
	}
	return "", a.plain[i-len(a.named)]
}
