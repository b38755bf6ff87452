package mapping

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// Table maps a struct to a table. It is immutable and safe for concurrent use.
type Table struct {
	// Type is the struct's type.
	Type reflect.Type
	// Schema is the table's schema; empty for the connection's own.
	Schema string
	// Name is the table's name.
	Name string
	// Columns are the columns in the order of the fields.
	Columns []*Column
	// Key are the columns of the primary key, at least one.
	Key []*Column
	// Version is the column that counts updates, or nil.
	Version *Column

	byName    map[string]*Column
	row       unsafe.Pointer // see Row
	all       []int
	runs      []run
	relations []*Relation
	uniques   []*Unique
	primary   *Unique

	once     sync.Once
	wrong    error       // the mistake in the relations, or nil
	resolved atomic.Bool // so are those of the tables reached through them
}

// All returns the indices of all columns. The slice must not be changed.
func (t *Table) All() []int { return t.all }

// Relations returns the table's relations in the order of the fields. The slice
// must not be changed.
func (t *Table) Relations() []*Relation { return t.relations }

// Relation returns the relation whose field has that name, or nil.
func (t *Table) Relation(field string) *Relation {
	for _, r := range t.relations {
		if r.Field == field || lastName(r.Field) == field {
			return r
		}
	}
	return nil
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column { return t.byName[name] }

// Field returns the column whose field, or column, has that name, or nil.
func (t *Table) Field(name string) *Column {
	if c := t.byName[name]; c != nil {
		return c
	}
	for _, c := range t.Columns {
		if c.Field == name || lastName(c.Field) == name {
			return c
		}
	}
	return nil
}

// FullName returns the table's name with its schema, for messages; it is not
// quoted.
func (t *Table) FullName() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// tables caches a *Table or an error for each type.
var tables sync.Map

// Of returns the table of a struct type, or of a pointer to one. The error is
// an [*Error].
func Of(t reflect.Type) (*Table, error) {
	table, err := tableOf(t)
	if err != nil {
		return nil, err
	}
	return table, table.resolve()
}

// tableOf is Of without the relations.
func tableOf(t reflect.Type) (*Table, error) {
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return nil, fmt.Errorf("mapping: nil has no table: want a struct")
	}
	known, ok := tables.Load(t)
	if !ok {
		table, err := newTable(t)
		var value any = table
		if err != nil {
			value = err
		}
		known, _ = tables.LoadOrStore(t, value)
	}
	if err, failed := known.(error); failed {
		return nil, err
	}
	return known.(*Table), nil
}

func newTable(t reflect.Type) (*Table, error) {
	if t.Kind() != reflect.Struct {
		return nil, &Error{Type: t, Problem: "is no struct"}
	}
	fields := scan.Fields(t)
	if len(fields) == 0 {
		return nil, &Error{Type: t, Problem: "no field takes a column: fields have to be exported"}
	}
	table := &Table{Type: t, byName: map[string]*Column{}, row: reflect.New(t).UnsafePointer()}
	if table.Schema, table.Name = nameOf(t); table.Name == "" {
		return nil, &Error{Type: t, Problem: "the table has no name: want a method TableName() string"}
	}
	for _, f := range fields {
		c, err := newColumn(t, f)
		if err != nil {
			return nil, err
		}
		if other := table.byName[c.Name]; other != nil {
			return nil, &Error{t, c.Field, fmt.Sprintf("has the column %q, as %s has: name one of them with a tag", c.Name, other.Field)}
		}
		c.Index = len(table.Columns)
		table.all = append(table.all, c.Index)
		table.byName[c.Name] = c
		table.Columns = append(table.Columns, c)
	}
	if err := table.findKey(); err != nil {
		return nil, err
	}
	table.findUniques()
	written := slices.DeleteFunc(slices.Clone(table.Columns), func(c *Column) bool { return !c.Written() })
	table.runs = runsOf(written)
	return table, table.relationsOf(t, 0, "")
}

// findKey finds and checks the primary key and the version.
func (t *Table) findKey() error {
	for _, c := range t.Columns {
		if c.PK {
			t.Key = append(t.Key, c)
		}
		if !c.Version {
			continue
		}
		if t.Version != nil {
			return &Error{t.Type, c.Field, "is a second version column, beside " + t.Version.Field}
		}
		t.Version = c
	}
	if id := t.byName["id"]; len(t.Key) == 0 && id != nil {
		id.PK = true
		t.Key = []*Column{id}
	}
	if len(t.Key) == 0 {
		return &Error{Type: t.Type, Problem: `has no primary key: want a field with the option pk, such as orm:"code,pk", or a column "id"`}
	}
	for _, c := range t.Key {
		if err := t.checkKey(c); err != nil {
			return err
		}
	}
	if only := t.Key[0]; len(t.Key) == 1 && only.integer && !only.noAuto && only.References == nil {
		only.Auto = true
	}
	return nil
}

func (t *Table) checkKey(c *Column) error {
	switch {
	case c.Nullable:
		return &Error{t.Type, c.Field, "is in the key and can be NULL: no key is"}
	case !c.comparable:
		return &Error{t.Type, c.Field, fmt.Sprintf("of type %s can't be in a key: want an integer, a string, an array of bytes such as a UUID, or a time", c.Type)}
	case c.Generated || c.ReadOnly:
		return &Error{t.Type, c.Field, "is in the key and never written: for a key that the database generates use the option auto"}
	case c.Auto && len(t.Key) > 1:
		return &Error{t.Type, c.Field, "has the option auto in a key of several columns, which no database generates"}
	case c.Auto && !c.integer:
		return &Error{t.Type, c.Field, "has the option auto and is no integer: for other keys that the server gives use the option default"}
	case c.Version:
		return &Error{t.Type, c.Field, "is in the key and counts updates: it can't be both"}
	}
	return nil
}

// named is implemented by types that name their table.
type named interface{ TableName() string }

// nameOf returns the schema and name of a type's table.
func nameOf(t reflect.Type) (schema, name string) {
	n, ok := reflect.TypeAssert[named](reflect.New(t))
	if !ok {
		return "", Snake(t.Name())
	}
	full := n.TableName()
	if before, after, has := strings.Cut(full, "."); has {
		return before, after
	}
	return "", full
}
