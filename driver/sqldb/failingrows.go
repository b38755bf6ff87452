package sqldb

import (
	"database/sql/driver"
	"io"
	"reflect"
)

// failingRows are rows that break off.
type failingRows struct {
	driver.Rows
	driver *failingDriver
	left   int
}

// Next returns the rows that are left, and then the failure. A result that has
// ended before did not break off.
func (r *failingRows) Next(dest []driver.Value) error {
	if r.left > 0 {
		r.left--
		return r.Rows.Next(dest)
	}
	if struck := r.driver.failure.Struck; struck != nil {
		struck()
	}
	return r.driver.strike()
}

// HasNextResultSet is that of the driver's rows.
func (r *failingRows) HasNextResultSet() bool {
	n, ok := r.Rows.(driver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

// NextResultSet is that of the driver's rows.
func (r *failingRows) NextResultSet() error {
	if n, ok := r.Rows.(driver.RowsNextResultSet); ok {
		return n.NextResultSet()
	}
	return io.EOF
}

// ColumnTypeDatabaseTypeName is that of the driver's rows.
func (r *failingRows) ColumnTypeDatabaseTypeName(i int) string {
	if c, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return c.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

// ColumnTypeLength is that of the driver's rows.
func (r *failingRows) ColumnTypeLength(i int) (length int64, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return c.ColumnTypeLength(i)
	}
	return 0, false
}

// ColumnTypeNullable is that of the driver's rows.
func (r *failingRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return c.ColumnTypeNullable(i)
	}
	return false, false
}

// ColumnTypePrecisionScale is that of the driver's rows.
func (r *failingRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypePrecisionScale); ok {
		return c.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}

// ColumnTypeScanType is that of the driver's rows.
func (r *failingRows) ColumnTypeScanType(i int) reflect.Type {
	if c, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return c.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}
