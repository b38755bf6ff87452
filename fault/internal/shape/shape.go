// Package shape finds out, by reflection, what drivers' errors have in common,
// so that package fault depends on no driver.
package shape

import (
	"reflect"
	"strings"
	"sync"
)

// Family is what a type of error is known for by its name.
type Family uint8

const (
	// None: of no type that is known.
	None Family = iota
	// MySQL: go-sql-driver/mysql.MySQLError and its forks.
	MySQL
	// SQLite: the Error of a package whose path ends with "sqlite" or
	// "sqlite3".
	SQLite
	// Connect: pgconn.ConnectError: no connection was made.
	Connect
	// Lock: pgconn.connLockError: the connection is closed or busy.
	Lock
	// Scan: pgx.ScanArgError.
	Scan
	// Plain: made by errors.New or fmt.Errorf.
	Plain
)

// Shape is what reflection finds out about a type of error: its family, and
// where its fields are. A field that is missing has no index.
type Shape struct {
	// Family is what the type is known for.
	Family Family
	// The indices of fields; State is an array of bytes.
	Number, Extended, Message, Severity, Routine, Constraint, Table, Column, State []int
}

// shapes holds one *Shape for each reflect.Type ever seen as an error. A
// program has few of them, so it does not grow without end.
var shapes sync.Map

// Of returns the shape of err's type.
func Of(err error) *Shape {
	t := reflect.TypeOf(err)
	if s, ok := shapes.Load(t); ok {
		return s.(*Shape)
	}
	s, _ := shapes.LoadOrStore(t, newShape(t))
	return s.(*Shape)
}

// newShape inspects a type, or what it points to.
func newShape(t reflect.Type) *Shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := &Shape{Family: familyOf(t)}
	if t.Kind() != reflect.Struct {
		return s
	}
	// The names are those of pgconn.PgError, pq.Error, mysql.MySQLError and
	// sqlite3.Error; where drivers differ the first one that exists counts.
	s.Number = fieldOf(t, isInteger, "Number", "Code")
	s.Extended = fieldOf(t, isInteger, "ExtendedCode")
	s.State = fieldOf(t, isArray, "SQLState")
	s.Message = fieldOf(t, isString, "Message")
	s.Severity = fieldOf(t, isString, "SeverityUnlocalized", "Severity")
	s.Routine = fieldOf(t, isString, "Routine")
	s.Constraint = fieldOf(t, isString, "ConstraintName", "Constraint")
	s.Table = fieldOf(t, isString, "TableName", "Table")
	s.Column = fieldOf(t, isString, "ColumnName", "Column")
	if s.Family == MySQL && s.Number == nil {
		s.Family = None
	}
	return s
}

// familyOf tells a type's family by its name and the path of its package.
func familyOf(t reflect.Type) Family {
	path, name := t.PkgPath(), t.Name()
	last := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case name == "MySQLError":
		return MySQL
	case name == "Error" && (strings.HasSuffix(last, "sqlite") || strings.HasSuffix(last, "sqlite3")):
		return SQLite
	case last == "pgconn" && strings.EqualFold(name, "ConnectError"):
		return Connect
	case last == "pgconn" && name == "connLockError":
		return Lock
	case strings.Contains(path, "/pgx") && name == "ScanArgError":
		return Scan
	case path == "errors" && name == "errorString", path == "fmt" && strings.HasPrefix(name, "wrapError"):
		return Plain
	}
	return None
}

// fieldOf returns the index of the first of the named fields that t has and
// whose kind is wanted.
func fieldOf(t reflect.Type, wanted func(reflect.Kind) bool, names ...string) []int {
	for _, name := range names {
		if f, ok := t.FieldByName(name); ok && f.IsExported() && wanted(f.Type.Kind()) {
			return f.Index
		}
	}
	return nil
}

func isString(k reflect.Kind) bool { return k == reflect.String }

func isArray(k reflect.Kind) bool { return k == reflect.Array }

func isInteger(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uintptr }

// Text returns the string in err's field at index, or "".
func Text(err error, index []int) string {
	if index == nil {
		return ""
	}
	return reflect.Indirect(reflect.ValueOf(err)).FieldByIndex(index).String()
}

// Bytes returns the text in err's field at index if that is an array of bytes,
// or "".
func Bytes(err error, index []int) string {
	if index == nil {
		return ""
	}
	v := reflect.Indirect(reflect.ValueOf(err)).FieldByIndex(index)
	if v.Type().Elem().Kind() != reflect.Uint8 {
		return ""
	}
	out := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(out), v)
	return string(out)
}

// Integer returns the integer in err's field at index, or 0.
func Integer(err error, index []int) int {
	if index == nil {
		return 0
	}
	v := reflect.Indirect(reflect.ValueOf(err)).FieldByIndex(index)
	if v.CanInt() {
		return int(v.Int())
	}
	return int(v.Uint())
}

// Fielded is an error that gives the fields of PostgreSQL's ErrorResponse by
// their letters (documentation, "Error and Notice Message Fields"): bun's
// pgdriver, go-pg.
type Fielded interface {
	// Field returns the field of a letter, or "".
	Field(k byte) string
}

// Letter returns the text in err's field at index, or else in its field of the
// protocol.
func Letter(err error, index []int, k byte) string {
	if e, ok := err.(Fielded); ok && index == nil {
		return e.Field(k)
	}
	return Text(err, index)
}
