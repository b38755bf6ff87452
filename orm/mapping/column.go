package mapping

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// Column maps a field to a column. It is immutable and safe for concurrent use.
type Column struct {
	// Name is the column's name.
	Name string
	// Field is the field's name, prefixed with those of the embedded structs
	// that contain it.
	Field string
	// Type is the field's type.
	Type reflect.Type
	// Index is the column's position in the table.
	Index int
	// PK says that the column is in the primary key.
	PK bool
	// Auto says that the database generates the key if the field is zero.
	Auto bool
	// Version says that the column counts updates.
	Version bool
	// Default says that the server sets the value while the field is zero.
	Default bool
	// Generated says that the database computes the value.
	Generated bool
	// ReadOnly says that the column is never written.
	ReadOnly bool
	// Unique says that no two rows have the same value.
	Unique bool
	// Nullable says that the field can hold NULL.
	Nullable bool
	// JSON says that the value is stored as JSON.
	JSON bool
	// Array says that the field is a list that is stored as an array if the
	// database supports arrays, and otherwise as JSON.
	Array bool
	// References is the column that this one refers to, or nil.
	References *Reference
	// SQLType is the column's SQL type in a created table; empty for the
	// dialect's default for the field's type.
	SQLType string
	// Expression is the SQL of a default or generated value, for a created
	// table; empty if none was given.
	Expression string

	groups     []string    // of columns that are unique together
	textUUID   bool        // UUIDs as text
	refers     atomic.Bool // a relation refers by it
	integer    bool
	timely     bool // times, or NULL
	comparable bool
	octets     int // length of an array of bytes that is no Valuer; 0 for other types
	noAuto     bool
	offset     uintptr
	load       func(p unsafe.Pointer) any
	ref        func(p unsafe.Pointer) any // nil: as load
	equal      func(a, b unsafe.Pointer) bool
	clone      func(dst, src unsafe.Pointer)
}

// Written reports whether the column is ever written. A change of a column that
// is not written does not change the row.
func (c *Column) Written() bool { return !c.Generated && !c.ReadOnly }

// Reference is the target of a foreign key.
type Reference struct {
	// Table is the table's name, with its schema if that was given.
	Table string
	// Column is the column's name.
	Column string
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	valuerType = reflect.TypeFor[driver.Valuer]()
)

func newColumn(t reflect.Type, f scan.Field) (*Column, error) {
	c := &Column{Name: f.Column, Field: f.Name, Type: f.Type}
	offset, err := offsetOf(t, f)
	if err != nil {
		return nil, err
	}
	c.offset = offset
	for _, o := range joined(f.Options) {
		if err := c.option(o); err != nil {
			return nil, &Error{t, f.Name, err.Error()}
		}
	}
	if err := c.classify(); err != nil {
		return nil, &Error{t, f.Name, err.Error()}
	}
	return c, nil
}

// offsetOf returns a field's offset in its struct.
func offsetOf(t reflect.Type, f scan.Field) (offset uintptr, err error) {
	at := t
	for _, i := range f.Index {
		if at.Kind() == reflect.Pointer {
			return 0, &Error{t, f.Name, "is in a struct that is embedded as a pointer: embed the struct itself"}
		}
		sf := at.Field(i)
		offset += sf.Offset
		at = sf.Type
	}
	return offset, nil
}

// option applies an option of the tag.
func (c *Column) option(o string) error {
	name, value, hasValue := strings.Cut(o, ":")
	switch name {
	case "references", "type":
		if value == "" {
			return fmt.Errorf("the option %q has no value: want references:table.column, or type:numeric(10,2)", o)
		}
	case "unique":
		if hasValue {
			return c.uniqueIn(o, value)
		}
	case "default", "generated":
		c.Expression = value
	default:
		if hasValue {
			return fmt.Errorf("the option %q is unknown or takes no value", o)
		}
	}
	flags := map[string]*bool{
		"pk": &c.PK, "auto": &c.Auto, "noauto": &c.noAuto, "version": &c.Version, "default": &c.Default,
		"generated": &c.Generated, "readonly": &c.ReadOnly, "unique": &c.Unique, "json": &c.JSON,
	}
	switch flag := flags[name]; {
	case flag != nil:
		*flag = true
	case name == "type":
		c.SQLType = value
	case name == "references":
		c.References = reference(value)
		if c.References.Table == "" || c.References.Column == "" {
			return fmt.Errorf("the option %q refers to nothing: want references:table.column", o)
		}
	default:
		return fmt.Errorf("the option %q is unknown", o)
	}
	return c.agree()
}

// uniqueIn records that the column is unique together with others.
func (c *Column) uniqueIn(o, group string) error {
	if group == "" || slices.Contains(c.groups, group) {
		return fmt.Errorf("the option %q names no group, or one twice: want unique:group", o)
	}
	c.groups = append(c.groups, group)
	return nil
}

// joined rejoins options that were split at a comma inside parentheses.
func joined(options []string) (out []string) {
	depth := 0
	for _, o := range options {
		if depth > 0 {
			out[len(out)-1] += "," + o
		} else {
			out = append(out, o)
		}
		depth += strings.Count(o, "(") - strings.Count(o, ")")
	}
	return out
}

// agree checks that the options go together.
func (c *Column) agree() error {
	switch {
	case c.Auto && c.noAuto:
		return fmt.Errorf("the options auto and noauto exclude each other")
	case c.Auto && !c.PK:
		c.PK = true
	case c.Version && (c.Default || c.Generated || c.ReadOnly):
		return fmt.Errorf("a version is written with every update: it can be neither default, generated nor readonly")
	}
	return nil
}

// reference reads table, table.column or schema.table.column.
func reference(s string) *Reference {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return &Reference{Table: s[:i], Column: s[i+1:]}
	}
	return &Reference{Table: s, Column: "id"}
}

// classify determines how values of the column's type are handled.
func (c *Column) classify() error {
	t := c.Type
	c.Nullable = nullable(t)
	c.integer = isInteger(t)
	c.comparable = keyable(t)
	c.Array = !c.JSON && isList(t)
	if array := pointee(t); !c.JSON && array.Kind() == reflect.Array && array.Elem().Kind() == reflect.Uint8 && !isValuer(array) {
		c.octets = array.Len()
	}
	if c.Version && !c.integer {
		return fmt.Errorf("a version of type %s: want an integer", t)
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("no column keeps a %s", t)
	default:
	}
	if c.JSON {
		c.load = loadAny(t)
	} else {
		c.load, c.ref, c.timely = loadFor(t), refFor(t), base(t) == timeType
	}
	c.equal, c.clone = equalFor(t), cloneFor(t)
	if c.JSON {
		c.equal = equalJSON(c.equal, c.load)
	}
	if c.textUUID = c.isTextUUID(); c.textUUID {
		c.equal, c.ref = equalUUID(t), nil
	}
	return nil
}

// pointee returns the type that a pointer type points to, or the type itself.
func pointee(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// nullable reports whether a field of the type can hold NULL.
func nullable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	case reflect.Struct:
		// sql.Null and similar types have a field Valid.
		f, ok := t.FieldByName("Valid")
		return ok && f.Type.Kind() == reflect.Bool && isValuer(t)
	default:
		return false
	}
}

func isInteger(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 && !isValuer(t)
}

// keyable reports whether values of the type can be in a key: they compare as
// the database compares them.
func keyable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String:
		return true
	case reflect.Array:
		return t.Elem().Kind() == reflect.Uint8
	default:
		return isInteger(t) || t == timeType
	}
}

// isList reports whether the type is a list that PostgreSQL stores as an array.
func isList(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || isValuer(t) || t.Elem().Kind() == reflect.Uint8 {
		return false
	}
	_, basic := loaders[t.Elem().Kind()]
	return basic || t.Elem() == timeType
}

// isValuer reports whether a type converts itself to a database value.
func isValuer(t reflect.Type) bool {
	return t.Implements(valuerType) || reflect.PointerTo(t).Implements(valuerType)
}
