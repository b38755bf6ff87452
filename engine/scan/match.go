package scan

import (
	"reflect"
	"strings"
)

// match finds the field of each column.
func (p *plan) match(record reflect.Type, c config) error {
	m := matcher{record: record, fields: Fields(record), taken: map[string]bool{}, links: map[string]int{}, plan: p}
	for i, column := range p.columns {
		f, err := m.find(column)
		if err == ErrUnknownColumn && c.unknown { //nolint:errorlint // it is returned as it is
			p.slots[i] = slot{column: column, field: p.name, typ: anyType, shape: ignored}
			continue
		}
		if err == nil && m.taken[f.Name] {
			err = ErrDuplicateColumn
		}
		if err != nil {
			return &ColumnError{Column: column, Field: p.name, Err: err}
		}
		m.taken[f.Name] = true
		s := slot{column: column, field: p.name + "." + f.Name, typ: f.Type}
		m.locate(&s, f.Index)
		if err := s.shapeUp(f.Has("json"), c); err != nil {
			return &ColumnError{Column: column, Field: s.field, Type: f.Type.String(), Err: err}
		}
		p.slots[i] = s
	}
	return nil
}

// matcher finds fields by the names of columns.
type matcher struct {
	record reflect.Type
	fields []Field
	taken  map[string]bool // by name of the field
	links  map[string]int  // by path: the embedded pointers, counted from 1
	plan   *plan
}

// find returns the field that takes a column: the one of that name, or the only
// one whose name differs in nothing but case.
func (m *matcher) find(column string) (Field, error) {
	f, err := m.one(func(f Field) bool { return f.Column == column })
	if err == ErrUnknownColumn { //nolint:errorlint // it is returned as it is
		return m.one(func(f Field) bool { return strings.EqualFold(f.Column, column) })
	}
	return f, err
}

func (m *matcher) one(fits func(f Field) bool) (found Field, err error) {
	err = ErrUnknownColumn
	for _, f := range m.fields {
		switch {
		case !fits(f):
		case err == nil:
			return Field{}, ErrAmbiguousColumn
		default:
			found, err = f, nil
		}
	}
	return found, err
}

// locate follows a field's index to its place in memory.
func (m *matcher) locate(s *slot, index []int) {
	t, path := m.record, ""
	for depth, i := range index {
		sf := t.Field(i)
		s.offset += sf.Offset
		path += "." + sf.Name
		t = sf.Type
		if depth == len(index)-1 || t.Kind() != reflect.Pointer {
			continue
		}
		t = t.Elem()
		if m.links[path] == 0 {
			m.plan.links = append(m.plan.links, link{offset: s.offset, via: s.via, typ: t})
			m.links[path] = len(m.plan.links)
		}
		s.via, s.offset = m.links[path], 0
	}
}
