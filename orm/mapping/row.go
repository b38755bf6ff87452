package mapping

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// Row returns the object of the table's type whose fields stand for the columns
// in queries, by their addresses: the same one each time. Nothing is kept in it.
func (t *Table) Row() unsafe.Pointer { return t.row }

// At returns the column whose field of that type is at an offset in the table's
// type, or nil.
func (t *Table) At(offset uintptr, typ reflect.Type) *Column {
	for _, c := range t.Columns {
		if c.offset == offset && c.Type == typ {
			return c
		}
	}
	return nil
}

// RelationAt returns the relation whose field is at an offset in the table's type,
// or nil.
func (t *Table) RelationAt(offset uintptr) *Relation {
	for _, r := range t.relations {
		if r.offset == offset {
			return r
		}
	}
	return nil
}

// RowAt returns the table into whose [Table.Row] a pointer points, and how far,
// or nil. It looks at every table, for messages.
func RowAt(p unsafe.Pointer) (table *Table, offset uintptr) {
	tables.Range(func(_, known any) bool {
		t, ok := known.(*Table)
		if ok && uintptr(p) >= uintptr(t.row) && uintptr(p)-uintptr(t.row) < t.Type.Size() {
			table, offset = t, uintptr(p)-uintptr(t.row)
		}
		return table == nil
	})
	return table, offset
}

// Argument returns a value as [Column.Value] returns it when it is in the
// column's field. A value of another type than the field's is returned as it is.
func (c *Column) Argument(v any, arrays bool) (any, error) {
	plain := !c.JSON && !c.textUUID && !c.moment()
	switch n := v.(type) {
	case nil:
		return nil, nil
	case string, int64, bool, float64, time.Time:
		if plain {
			return v, nil
		}
	case int:
		if plain {
			return int64(n), nil
		}
	}
	if reflect.TypeOf(v) != c.Type {
		return v, nil
	}
	p := reflect.New(c.Type)
	p.Elem().Set(reflect.ValueOf(v))
	return c.value(p.UnsafePointer(), arrays)
}

// value is Value of the field at p.
func (c *Column) value(p unsafe.Pointer, arrays bool) (any, error) {
	if c.octets > 0 && !arrays {
		if c.Type.Kind() == reflect.Pointer {
			if p = *(*unsafe.Pointer)(p); p == nil {
				return nil, nil
			}
		}
		return bytes.Clone(unsafe.Slice((*byte)(p), c.octets)), nil
	}
	v := c.load(p)
	if c.moment() {
		return moment(v), nil
	}
	if text, ok := v.(string); ok && c.textUUID {
		return CanonicalUUID(text), nil
	}
	if v == nil || !c.JSON && (!c.Array || arrays) {
		return v, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("mapping: %s as JSON: %w", c.Field, err)
	}
	return string(text), nil
}

// moment reports whether the column is a time by which rows are found: a key, or what
// refers to one.
func (c *Column) moment() bool {
	return c.timely && (c.PK || c.References != nil || c.refers.Load())
}

// moment returns a time as keys have it: no database tells keys apart that differ
// by less.
func moment(v any) any {
	switch at := v.(type) {
	case time.Time:
		return at.Truncate(time.Microsecond)
	case sql.NullTime:
		at.Time = at.Time.Truncate(time.Microsecond)
		return at
	case sql.Null[time.Time]:
		at.V = at.V.Truncate(time.Microsecond)
		return at
	}
	return v
}
