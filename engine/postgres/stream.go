package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// cursorName is the name of a stream's cursor. A connection has one at a time.
const cursorName = "engine_stream"

// signature distinguishes results with different columns.
func signature(fields []pgconn.FieldDescription) string {
	h := fnv.New64a()
	for i := range fields {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, fields[i].DataTypeOID))
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// stream is a cursor of the server, from which one window of rows is fetched at
// a time.
type stream struct {
	ctx    context.Context // the one it was opened with
	conn   *conn
	own    *conn // closed with the stream; nil if the connection is somebody else's
	ownTx  *conn // its transaction ends with the stream; nil if that is somebody else's
	window int
	fetch  string // the statement

	columns
	fields []pgconn.FieldDescription
	rows   *cursor // of the window
	read   int     // rows of the window that were read
	err    error
	closed bool
}

// declare opens a stream in the open transaction, and fetches its first window.
func (c *conn) declare(ctx context.Context, q backend.BoundStatement, window int) (*stream, error) {
	if _, err := c.tx.Exec(ctx, "DECLARE "+cursorName+" NO SCROLL CURSOR FOR "+q.Text, q.Args...); err != nil {
		return nil, explain(err)
	}
	s := &stream{ctx: ctx, conn: c, window: window, fetch: "FETCH FORWARD " + strconv.Itoa(window) + " FROM " + cursorName}
	// The first fetch asks the server for the columns. pgx then knows them by a
	// text that is unique to these columns, and each window is one round trip.
	if err := s.more(pgx.QueryExecModeDescribeExec); err != nil {
		return nil, err
	}
	s.fields = slices.Clone(s.rows.rows.FieldDescriptions())
	s.describe(s.fields)
	s.fetch += " -- " + signature(s.fields)
	return s, nil
}

// more fetches the next window.
func (s *stream) more(how pgx.QueryExecMode) error {
	rows, err := s.conn.tx.Query(s.ctx, s.fetch, how)
	if err != nil {
		return err
	}
	c, err := newCursor(rows)
	if err != nil {
		return err
	}
	s.rows, s.read = c, 0
	return nil
}

// Names implements [backend.Cursor].
func (s *stream) Names() []string { return s.names }

// Columns implements [backend.Cursor].
func (s *stream) Columns() []backend.Column { return s.list() }

// Next implements [backend.Cursor].
func (s *stream) Next() bool {
	for !s.closed && s.err == nil {
		if s.rows.Next() {
			s.read++
			return true
		}
		if s.err = s.rows.Close(); s.err != nil || s.read < s.window {
			return false
		}
		s.err = s.more(pgx.QueryExecModeCacheDescribe)
	}
	return false
}

// Scan implements [backend.Cursor].
func (s *stream) Scan(dest ...any) error { return s.rows.Scan(dest...) }

// Fetch implements [backend.Cursor].
func (s *stream) Fetch(n int) (backend.Block, error) {
	b := newBlock(s.fields)
	for n < 1 || b.Len() < n {
		if !s.Next() {
			return b, s.err
		}
		b.add(s.rows.rows.RawValues())
	}
	return b, nil
}

// Err implements [backend.Cursor].
func (s *stream) Err() error { return s.err }

// Close implements [backend.Cursor]. At most one window of rows is in transit.
func (s *stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.rows.Close(); s.err == nil {
		s.err = err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanup)
	defer cancel()
	switch {
	case s.own != nil:
		return errors.Join(s.end(ctx, s.own), s.own.Close(false))
	case s.ownTx != nil:
		return s.end(ctx, s.ownTx)
	case s.err != nil:
		return nil // the transaction is aborted, and the cursor with it
	}
	_, err := s.conn.tx.Exec(ctx, "CLOSE "+cursorName)
	return err
}

// end ends the stream's own transaction, and with it the cursor.
func (s *stream) end(ctx context.Context, c *conn) error {
	if s.err != nil {
		_ = c.undo(ctx) // the stream's error is the one to act on
		return nil
	}
	return c.Commit(ctx)
}
