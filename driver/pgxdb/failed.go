package pgxdb

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// failedRow is the row of a query that failed.
type failedRow struct{ err error }

// Scan returns the error.
func (r failedRow) Scan(...any) error { return r.err }

// failedRows are the rows of a query that failed: pgx returns rows beside an
// error.
type failedRows struct{ err error }

var _ pgx.Rows = failedRows{}

// Close does nothing: there is nothing to close.
func (failedRows) Close() {}

// Err returns the error.
func (r failedRows) Err() error { return r.err }

// CommandTag returns the empty tag.
func (failedRows) CommandTag() pgconn.CommandTag { return pgconn.CommandTag{} }

// FieldDescriptions returns nil.
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }

// Next reports that there is no row.
func (failedRows) Next() bool { return false }

// Scan returns the error.
func (r failedRows) Scan(...any) error { return r.err }

// Values returns the error.
func (r failedRows) Values() ([]any, error) { return nil, r.err }

// RawValues returns nil.
func (failedRows) RawValues() [][]byte { return nil }

// Conn returns nil.
func (failedRows) Conn() *pgx.Conn { return nil }

// TypeMap returns nil.
func (failedRows) TypeMap() *pgtype.Map { return nil }
