package engine

import (
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// source yields the rows of a result one after the other. All [Rows] on one
// result share it.
type source interface {
	// columns returns the columns of the result.
	columns() *columns
	// advance moves to the next row. If keep is set, row can be called for it.
	// At the end it returns false, also when it is called again.
	advance(keep bool) (bool, error)
	// scan copies the current row.
	scan(dest ...any) error
	// row returns the current row.
	row() Row
	// batch is the default number of rows in a partition; 0 for all rows.
	batch() int
	// close ends the result: later reads return an error.
	close() error
}

// errResultClosed is the error of reading a closed result.
var errResultClosed = fmt.Errorf("engine: fetch: the result is %w", closedError{})

// errCursorClosed is the error of reading a cursor that was closed, by a caller
// or by the end of its transaction.
var errCursorClosed = fmt.Errorf("engine: fetch: the cursor is %w", closedError{})

// buffered are the rows of a block.
type buffered struct {
	cols   *columns
	block  backend.Block // nil if the statement returned no rows
	next   int
	closed bool
}

func (b *buffered) columns() *columns { return b.cols }

func (b *buffered) advance(bool) (bool, error) {
	switch {
	case b.block == nil:
		return false, ErrNoRows
	case b.closed:
		return false, errResultClosed
	case b.next >= b.block.Len():
		return false, nil
	}
	b.next++
	return true, nil
}

func (b *buffered) scan(dest ...any) error { return b.row().Scan(dest...) }

func (b *buffered) row() Row { return Row{columns: b.cols, block: b.block, index: b.next - 1} }

func (b *buffered) batch() int { return 0 }

func (b *buffered) close() error {
	b.closed = true
	return nil
}

// windowed are the rows of a cursor. Rows that have to be kept are read a
// window at a time; others are scanned where they are.
type windowed struct {
	cursor Cursor
	cols   *columns
	window int
	block  backend.Block // rows read ahead, or nil
	next   int           // in block
	ended  bool          // the last row was read
	closed bool
	err    error
}

func (w *windowed) columns() *columns { return w.cols }

func (w *windowed) advance(keep bool) (bool, error) {
	switch {
	case w.err != nil:
		return false, w.err
	case w.closed:
		return false, errResultClosed
	case w.block != nil && w.next < w.block.Len():
		w.next++
		return true, nil
	case w.ended:
		return false, nil
	case len(w.cols.list) == 0:
		return false, w.fail(ErrNoRows)
	case keep:
		return w.fill()
	}
	w.block = nil
	if w.cursor.Next() {
		return true, nil
	}
	return false, w.end(w.cursor.Err())
}

// fill reads a window.
func (w *windowed) fill() (bool, error) {
	block, err := w.cursor.Fetch(w.window)
	if err != nil {
		return false, w.end(err)
	}
	w.block, w.next = block, 0
	if block.Len() < w.window { // the connection is needed no more
		if err := w.end(nil); err != nil {
			return false, err
		}
	}
	if block.Len() == 0 {
		return false, nil
	}
	w.next = 1
	return true, nil
}

// end gives the connection back: there are no more rows.
func (w *windowed) end(err error) error {
	w.ended = true
	return w.fail(err)
}

// fail closes the cursor and keeps the error, if there is one.
func (w *windowed) fail(err error) error {
	if cerr := w.cursor.Close(); err == nil {
		err = cerr
	}
	w.err = err
	return err
}

func (w *windowed) scan(dest ...any) error {
	if w.block == nil {
		return w.cursor.Scan(dest...)
	}
	return w.row().Scan(dest...)
}

func (w *windowed) row() Row { return Row{columns: w.cols, block: w.block, index: w.next - 1} }

func (w *windowed) batch() int { return w.window }

func (w *windowed) close() error {
	if w.closed {
		return nil
	}
	w.closed, w.block = true, nil
	if w.err != nil {
		return nil // the cursor is closed, and the error was reported
	}
	return w.cursor.Close()
}
