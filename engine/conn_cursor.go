package engine

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/raw"
)

var _ raw.Rows = (*cursor)(nil)

// cursor is a backend's cursor with this package's errors. If it is on a Conn,
// it notifies the Conn when it is closed.
type cursor struct {
	Cursor
	raw    raw.Rows // the same, once it was asked for a decoder
	conn   *Conn    // nil if the cursor has a connection to itself
	closed bool
}

func (c *cursor) Next() bool {
	if c.closed {
		return false
	}
	return c.Cursor.Next()
}

func (c *cursor) Scan(dest ...any) error {
	if c.closed {
		return errCursorClosed
	}
	return describe("scan", c.Cursor.Scan(dest...))
}

func (c *cursor) Fetch(n int) (backend.Block, error) {
	if c.closed {
		return nil, errCursorClosed
	}
	b, err := c.Cursor.Fetch(n)
	return b, describe("read rows", c.noted(err))
}

func (c *cursor) Err() error { return describe("read rows", c.noted(c.Cursor.Err())) }

func (c *cursor) noted(err error) error {
	if c.conn == nil {
		return err
	}
	return c.conn.note(err)
}

func (c *cursor) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if c.conn != nil && c.conn.open == c {
		c.conn.open = nil
	}
	return describe("close rows", c.Cursor.Close())
}

// Decoder implements [raw.Rows].
func (c *cursor) Decoder(column int, t reflect.Type) raw.Decode {
	rows, ok := c.Cursor.(raw.Rows)
	if !ok {
		return nil
	}
	c.raw = rows
	return rows.Decoder(column, t)
}

// RawValues implements [raw.Rows].
func (c *cursor) RawValues() [][]byte {
	if c.raw == nil || c.closed {
		return nil
	}
	return c.raw.RawValues()
}
