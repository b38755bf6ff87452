// Package raw is how values get from a server's answer into fields without a
// detour, where a dialect knows how they are written.
package raw

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/internal/memory"
)

// Decode puts a value, as the server wrote it, into the field at p; nil is
// NULL. It keeps nothing of value. If it reports false the field is as it was,
// and the value is left to Scan, which knows more, and says what is wrong.
type Decode func(p memory.Pointer, value []byte) bool

// Rows are rows that Scan can be spared, and whose Scan skips a column if its
// destination is nil. It is an addition to a cursor, and used by one goroutine
// at a time.
type Rows interface {
	// Decoder returns how a column of the answer, counted from 0, gets into
	// fields of type t, with the result that Scan has; nil if only Scan knows.
	Decoder(column int, t reflect.Type) Decode
	// RawValues returns the values of the row that Next has moved to, one per
	// column, nil for NULL. They belong to the driver, and are good until the
	// next row. It returns none where Scan is an error.
	RawValues() [][]byte
}
