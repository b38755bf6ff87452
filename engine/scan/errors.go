package scan

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// The errors that a [ColumnError] may match.
var (
	// ErrNull means that a value is NULL and its field can't hold that.
	ErrNull = errors.New("NULL, which it can't hold: use a pointer or a sql.Null")
	// ErrUnknownColumn means that a column has no field.
	ErrUnknownColumn = errors.New("no field takes it")
	// ErrDuplicateColumn means that two columns have the same field.
	ErrDuplicateColumn = errors.New("it comes twice: give one another name with AS")
	// ErrAmbiguousColumn means that several fields match a column.
	ErrAmbiguousColumn = errors.New("several fields could take it: name one of them with a tag")
)

// ColumnError describes what is wrong with a column, or with its value in a
// row. Its message never shows the value; the wrapped error's may.
type ColumnError struct {
	// Column is the column's name.
	Column string
	// Field is the field it goes into, such as User.Address.City, or the type
	// if there is none.
	Field string
	// Type is the field's type; empty if there is no field.
	Type string
	// Err is the cause: one of this package's errors or the driver's.
	Err error
}

// Error implements error.
func (e *ColumnError) Error() string {
	into := e.Field
	if e.Type != "" && e.Type != e.Field {
		into += " (" + e.Type + ")"
	}
	return fmt.Sprintf("scan: column %q into %s: %s", e.Column, into, reason(e.Err))
}

// Unwrap returns the cause.
func (e *ColumnError) Unwrap() error { return e.Err }

// AtColumn marks err as an error of the value in the column with that index,
// counted from 0, for Rows that are neither database/sql's nor pgx's: a plan's
// Explain, which Scan calls, recognises it.
func AtColumn(index int, err error) error {
	if err == nil {
		return nil
	}
	return &atColumnError{index, err}
}

type atColumnError struct {
	index int
	err   error
}

func (e *atColumnError) Error() string { return fmt.Sprintf("column %d: %v", e.index, e.err) }
func (e *atColumnError) Unwrap() error { return e.err }

// convertError is the error of a conversion of this package. Its message does not
// contain the value.
type convertError string

func (e convertError) Error() string { return string(e) }

// columnOf returns the column that an error of Scan is about.
func columnOf(err error) (index int, cause error, ok bool) {
	if at, ok := errors.AsType[*atColumnError](err); ok {
		return at.index, at.err, true
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if rest, ok := strings.CutPrefix(e.Error(), "sql: Scan error on column index "); ok && errors.Unwrap(e) != nil {
			digits, _, _ := strings.Cut(rest, ",")
			index, err := strconv.Atoi(digits)
			return index, errors.Unwrap(e), err == nil
		}
		// pgx's ScanArgError, which this package can't name.
		if v := reflect.ValueOf(e); v.Kind() == reflect.Struct && v.Type().Name() == "ScanArgError" {
			if i := v.FieldByName("ColumnIndex"); i.IsValid() && i.CanInt() {
				return int(i.Int()), errors.Unwrap(e), true
			}
		}
	}
	return 0, nil, false
}

// isNull reports whether a driver refused NULL. The texts are those of
// database/sql's conversions and of pgx.
func isNull(cause error) bool {
	if errors.Is(cause, ErrNull) {
		return true
	}
	text := cause.Error()
	for _, known := range []string{
		"converting NULL to ", "unsupported Scan, storing driver.Value type <nil> into ", "cannot scan NULL into ",
		"sql/driver: couldn't convert <nil> (<nil>) into type bool",
	} {
		if strings.HasPrefix(text, known) {
			return true
		}
	}
	return false
}

// reason returns the part of a cause's message that is known to contain no value.
func reason(cause error) string {
	for _, own := range []error{ErrNull, ErrUnknownColumn, ErrDuplicateColumn, ErrAmbiguousColumn} {
		if errors.Is(cause, own) {
			return own.Error()
		}
	}
	if own, ok := errors.AsType[convertError](cause); ok {
		return string(own)
	}
	if _, inner, ok := columnOf(cause); ok {
		cause = inner
	}
	text := cause.Error()
	switch {
	case isNull(cause):
		return ErrNull.Error()
	case strings.HasPrefix(text, "unsupported Scan, storing driver.Value type "),
		strings.HasPrefix(text, "cannot scan ") && strings.Contains(text, " format into "):
		return text // types alone
	case strings.HasPrefix(text, "converting driver.Value type "):
		source, _, _ := strings.Cut(strings.TrimPrefix(text, "converting driver.Value type "), " ")
		return "a value of type " + source + " does not fit"
	}
	return "the value does not fit"
}
