package fault

import (
	"reflect"
	"strings"
	"sync"
)

// family is what a type of error is known for by its name.
type family uint8

const (
	familyNone family = iota
	// familyMySQL: go-sql-driver/mysql.MySQLError and its forks.
	familyMySQL
	// familySQLite: the Error of a package whose path ends with "sqlite" or
	// "sqlite3".
	familySQLite
	// familyConnect: pgconn.ConnectError: no connection was made.
	familyConnect
	// familyLock: pgconn.connLockError: the connection is closed or busy.
	familyLock
	// familyScan: pgx.ScanArgError.
	familyScan
	// familyText: made by errors.New or fmt.Errorf.
	familyText
)

// shape is what reflection finds out about a type of error: its family, and
// where its fields are. A field that is missing has no index.
type shape struct {
	family                                                                  family
	number, extended, message, severity, routine, constraint, table, column []int
	state                                                                   []int // an array of bytes
}

// shapes holds one *shape for each reflect.Type ever seen as an error. A
// program has few of them, so it does not grow without end.
var shapes sync.Map

// shapeOf returns the shape of err's type.
func shapeOf(err error) *shape {
	t := reflect.TypeOf(err)
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s, _ := shapes.LoadOrStore(t, newShape(t))
	return s.(*shape)
}

// newShape inspects a type, or what it points to.
func newShape(t reflect.Type) *shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := &shape{family: familyOf(t)}
	if t.Kind() != reflect.Struct {
		return s
	}
	// The names are those of pgconn.PgError, pq.Error, mysql.MySQLError and
	// sqlite3.Error; where drivers differ the first one that exists counts.
	s.number = fieldOf(t, isInteger, "Number", "Code")
	s.extended = fieldOf(t, isInteger, "ExtendedCode")
	s.state = fieldOf(t, isArray, "SQLState")
	s.message = fieldOf(t, isString, "Message")
	s.severity = fieldOf(t, isString, "SeverityUnlocalized", "Severity")
	s.routine = fieldOf(t, isString, "Routine")
	s.constraint = fieldOf(t, isString, "ConstraintName", "Constraint")
	s.table = fieldOf(t, isString, "TableName", "Table")
	s.column = fieldOf(t, isString, "ColumnName", "Column")
	if s.family == familyMySQL && s.number == nil {
		s.family = familyNone
	}
	return s
}

// familyOf tells a type's family by its name and the path of its package.
func familyOf(t reflect.Type) family {
	path, name := t.PkgPath(), t.Name()
	last := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case name == "MySQLError":
		return familyMySQL
	case name == "Error" && (strings.HasSuffix(last, "sqlite") || strings.HasSuffix(last, "sqlite3")):
		return familySQLite
	case last == "pgconn" && strings.EqualFold(name, "ConnectError"):
		return familyConnect
	case last == "pgconn" && name == "connLockError":
		return familyLock
	case strings.Contains(path, "/pgx") && name == "ScanArgError":
		return familyScan
	case path == "errors" && name == "errorString", path == "fmt" && strings.HasPrefix(name, "wrapError"):
		return familyText
	}
	return familyNone
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

// text returns the string in err's field at index, or "".
func text(err error, index []int) string {
	if index == nil {
		return ""
	}
	return reflect.Indirect(reflect.ValueOf(err)).FieldByIndex(index).String()
}

// bytesOf returns the text in err's field at index if that is an array of bytes,
// or "".
func bytesOf(err error, index []int) string {
	if index == nil {
		return ""
	}
	v := reflect.Indirect(reflect.ValueOf(err)).FieldByIndex(index)
	if v.Type().Elem().Kind() != reflect.Uint8 {
		return ""
	}
	text := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(text), v)
	return string(text)
}

// integer returns the integer in err's field at index, or 0.
func integer(err error, index []int) int {
	if index == nil {
		return 0
	}
	v := reflect.Indirect(reflect.ValueOf(err)).FieldByIndex(index)
	if v.CanInt() {
		return int(v.Int())
	}
	return int(v.Uint())
}
