package postgres

import (
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// typeMaps pools maps of PostgreSQL's types, each of which is used by one
// goroutine at a time.
var typeMaps = sync.Pool{New: func() any { return pgtype.NewMap() }}

// columns are what a result's columns are: their names, which every reader
// needs, and what their types are made of, for those who ask.
type columns struct {
	names []string
	types []uint32
	few   [8]uint32 // holds the types of few columns
}

// describe keeps what the fields say, which belong to the connection.
func (c *columns) describe(fields []pgconn.FieldDescription) {
	c.names, c.types = make([]string, len(fields)), c.few[:0]
	for i := range fields {
		c.names[i] = fields[i].Name
		c.types = append(c.types, fields[i].DataTypeOID)
	}
}

func (c *columns) list() []backend.Column {
	m := typeMaps.Get().(*pgtype.Map)
	defer typeMaps.Put(m)
	list := make([]backend.Column, len(c.names))
	for i, name := range c.names {
		list[i].Name = name
		if t, ok := m.TypeForOID(c.types[i]); ok {
			list[i].Type = strings.ToUpper(t.Name)
		}
	}
	return list
}
