// Package sqlite3 holds an error of the shape of mattn/go-sqlite3's, which
// needs cgo.
package sqlite3

// ErrNo is a primary result code.
type ErrNo int

// ErrNoExtended is an extended result code.
type ErrNoExtended int

// Error has the exported fields of mattn/go-sqlite3's Error.
type Error struct {
	// Code is the primary result code.
	Code ErrNo
	// ExtendedCode is the extended result code.
	ExtendedCode ErrNoExtended
	// Text is what Error returns.
	Text string
}

// Error returns the message.
func (e Error) Error() string { return e.Text }
