package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// rows are a driver's rows that finish a call when they are closed. They have
// every optional interface; sqlmw, which finds the driver's own by Unwrap,
// shows database/sql just those the driver has.
type rows struct {
	raw  driver.Rows
	stmt driver.Stmt     // closed after the rows, if set
	ctx  context.Context // the call's, to tell how abandoned rows ended
	call *sp.Call        // nil once finished, or if nobody listens
	conn *driverConn     // whose rows they are

	watcher *conn     // hears of errors, in a transaction
	text    string    // what it hears with them
	pooled  *stmtCall // what call is a part of, if it is pooled

	read int64 // rows read by the caller
	done bool  // the last row was read
	busy bool  // the driver is at work, or panicked there
	err  error // what ended the rows, if it was an error
}

// forget readies closed rows for the next use of their call. Field by field:
// clearing them as a whole costs more.
func (r *rows) forget() {
	r.raw, r.stmt, r.ctx, r.err, r.watcher = nil, nil, nil, nil, nil
	r.text, r.read, r.done, r.busy = "", 0, false, false
}

func (r *rows) Unwrap() driver.Rows { return r.raw }
func (r *rows) Columns() []string   { return r.raw.Columns() }

func (r *rows) Next(dest []driver.Value) error {
	r.busy = true
	err := r.raw.Next(dest)
	r.busy = false
	if err == nil {
		r.read++
		return nil
	}
	if err == io.EOF || errors.Is(err, io.EOF) { //nolint:errorlint // the common case first
		r.done = true
	} else {
		r.failed(err)
	}
	return err
}

// failed takes note of an error that came with the rows.
func (r *rows) failed(err error) {
	r.err = err
	if r.watcher != nil {
		r.watcher.noteFailure(err, r.text)
	}
}

// Close closes the rows and finishes their call, also if the driver panics. Rows
// closed early count as successful unless their context was over. Closing rows
// twice does nothing, as with the drivers, until the connection's next rows have
// their place: database/sql closes them once.
func (r *rows) Close() error {
	if r.raw == nil {
		return nil
	}
	if r.busy { // a panic in Next
		r.conn.unfit = true
	}
	returned := false
	defer func() {
		if !returned {
			r.conn.unfit = true
			r.finish(sp.ErrAborted)
		}
	}()
	err := r.raw.Close()
	if r.stmt != nil {
		_ = r.stmt.Close()
		r.stmt = nil
	}
	returned = true
	if r.watcher != nil && err != nil {
		r.watcher.noteFailure(err, r.text)
	}
	r.finish(err)
	return err
}

// finish finishes the call, once, with the first error there was.
func (r *rows) finish(err error) {
	call := r.call
	if call == nil {
		if r.watcher != nil && r == &r.watcher.rows {
			r.raw = nil // free for the next
		}
		return
	}
	r.call = nil
	if r.err == nil {
		r.err = err
	}
	if r.err == nil && !r.done && r.ctx.Err() != nil {
		r.err = context.Cause(r.ctx)
	}
	pooled := r.pooled
	if attach.Finish(call, r.err) && pooled != nil {
		pooled.free()
	}
}

func (r *rows) HasNextResultSet() bool {
	n, ok := r.raw.(driver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

func (r *rows) NextResultSet() error {
	n, ok := r.raw.(driver.RowsNextResultSet)
	if !ok {
		return io.EOF
	}
	r.done, r.busy = false, true
	err := n.NextResultSet()
	r.busy = false
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed(err)
	}
	return err
}

// The column type methods are reached only if the driver's rows have them.

func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	return r.raw.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(i)
}

func (r *rows) ColumnTypeLength(i int) (length int64, ok bool) {
	return r.raw.(driver.RowsColumnTypeLength).ColumnTypeLength(i)
}

func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	return r.raw.(driver.RowsColumnTypeNullable).ColumnTypeNullable(i)
}

func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return r.raw.(driver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale(i)
}

func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	return r.raw.(driver.RowsColumnTypeScanType).ColumnTypeScanType(i)
}
