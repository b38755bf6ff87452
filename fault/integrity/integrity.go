// Package integrity describes violated constraints the same way for all
// databases:
//
//	if e, ok := integrity.Of(err); ok && e.Kind == integrity.Unique {
//		return fmt.Errorf("%s is taken", e.Column)
//	}
//
// A description holds names only: unlike the drivers' messages it never shows a
// row's values.
package integrity

import (
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/internal/shape"
)

// Kind is the kind of constraint that a statement violated. The zero value is
// [Other].
type Kind uint8

const (
	// Other is a constraint of another kind, or one whose kind the database
	// does not report.
	Other Kind = iota
	// Unique is a unique constraint or a primary key.
	Unique
	// ForeignKey is a foreign key, violated from either side.
	ForeignKey
	// NotNull is a column that must have a value.
	NotNull
	// Check is a check constraint.
	Check
	// Exclusion is an exclusion constraint (PostgreSQL).
	Exclusion
)

var kindNames = [...]string{
	Other:      "integrity",
	Unique:     "unique",
	ForeignKey: "foreign key",
	NotNull:    "not null",
	Check:      "check",
	Exclusion:  "exclusion",
}

// String returns the kind in SQL's words, in lower case; "integrity" for
// [Other].
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "invalid"
	}
	return kindNames[k]
}

// Error is a violated constraint. Its message holds names only: unlike the drivers' messages it
// never shows a row's values.
type Error struct {
	// Kind is the kind of constraint.
	Kind Kind
	// Constraint is the name of the constraint or index; empty if the database
	// does not report it (SQLite does so only for checks).
	Constraint string
	// Table is the table, without its schema; empty if not reported.
	Table string
	// Column is the column; several are joined by ", ". Empty if not reported.
	Column string
	// Code is what [fault.Code] returns for the error.
	Code string
	// Err is the error that was read. Its text may hold a row's values.
	Err error
}

// Error returns the violated constraint's kind and names, and the code.
func (e *Error) Error() string {
	text := "fault: " + e.Kind.String() + " constraint"
	if e.Constraint != "" {
		text += " " + quote(e.Constraint)
	}
	text += " violated"
	if e.Table != "" {
		text += ", table " + quote(e.Table)
	}
	if e.Column != "" {
		text += ", column " + quote(e.Column)
	}
	return text + " (" + e.Code + ")"
}

// Unwrap returns the error that was read.
func (e *Error) Unwrap() error { return e.Err }

// quote returns name in double quotes.
func quote(name string) string { return `"` + name + `"` }

// Of extracts a violated constraint from err, with as much detail as the
// database reports. It returns false if err is something else, and never fails.
func Of(err error) (*Error, bool) {
	if err == nil || fault.Of(err, fault.Situation{}).Class != fault.ClassIntegrity {
		return nil, false
	}
	e := &Error{Code: fault.Code(err), Err: err}
	e.read(source(err, e.Code, maxDepth))
	return e, true
}

// maxDepth bounds how deep errors are unwrapped, so that one that unwraps to
// itself ends.
const maxDepth = 128

// source returns the innermost error in err that has its code: the database's
// own.
func source(err error, code string, depth int) error {
	for _, inner := range unwrap(err) {
		if depth > 0 && inner != nil && fault.Code(inner) == code {
			return source(inner, code, depth-1)
		}
	}
	return err
}

// unwrap returns what err wraps. An error whose method panics wraps nothing.
func unwrap(err error) (inner []error) {
	defer quiet()
	switch e := err.(type) {
	case *fault.ConnLostError: // opaque to others
		return []error{e.Err}
	case interface{ Unwrap() error }:
		return []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}

// quiet is deferred where a method of an error is called, which may panic.
func quiet() { _ = recover() }

// read fills in what the database's error tells. An error whose methods panic
// tells nothing more.
func (e *Error) read(source error) {
	defer quiet()
	s := shape.Of(source)
	switch s.Family {
	case shape.MySQL:
		e.readMySQL(shape.Text(source, s.Message))
	case shape.SQLite:
		e.readSQLite(source.Error())
	default:
		e.Kind = postgresKinds[e.Code]
		e.Constraint = shape.Letter(source, s.Constraint, 'n')
		e.Table = shape.Letter(source, s.Table, 't')
		e.Column = shape.Letter(source, s.Column, 'c')
	}
}

// postgresKinds are the kinds of constraint by SQLSTATE: PostgreSQL
// documentation, appendix A, class 23 and 44.
var postgresKinds = map[string]Kind{
	"23001": ForeignKey, // restrict_violation
	"23502": NotNull,    // not_null_violation
	"23503": ForeignKey, // foreign_key_violation
	"23505": Unique,     // unique_violation
	"23514": Check,      // check_violation
	"23P01": Exclusion,  // exclusion_violation
	"44000": Check,      // with_check_option_violation
}
