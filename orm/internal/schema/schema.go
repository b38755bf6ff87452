// Package schema writes the statements that create and drop tables.
package schema

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/depgraph"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Definition is a statement that creates or drops a table.
type Definition struct {
	// Table is the table's name.
	Table string
	// Text is the statement, in the database's own syntax.
	Text string
}

// Create returns the statements that create tables unless they are there,
// those that others refer to first, with indexes of their foreign keys, and then
// the tables between them.
func Create(d *engine.Dialect, tables []*mapping.Table) (out []Definition, err error) {
	done := map[*mapping.Table]bool{}
	for _, t := range tables {
		done[t] = true
		text, err := createTable(d, t, done)
		if err != nil {
			return nil, err
		}
		out = append(out, Definition{t.FullName(), text})
		out = append(out, indexes(d, t)...)
	}
	for _, r := range between(tables) {
		text, err := createBetween(d, r)
		if err != nil {
			return nil, err
		}
		out = append(out, Definition{r.Through.Name, text})
		if !dml.IsMySQL(d) { // the primary key begins with the other side
			out = append(out, createIndex(d, r.Through.Name, r.Through.Remote))
		}
	}
	return out, nil
}

// Drop returns the statements that drop tables if they are there, those that
// refer to others first.
func Drop(d *engine.Dialect, tables []*mapping.Table) (out []Definition) {
	for _, r := range between(tables) {
		out = append(out, Definition{r.Through.Name, "DROP TABLE IF EXISTS " + dml.QuotePath(d, r.Through.Name)})
	}
	for _, t := range slices.Backward(tables) {
		out = append(out, Definition{t.FullName(), "DROP TABLE IF EXISTS " + dml.For(d, t).Name})
	}
	return out
}

// Sort returns the tables of objects, those that others refer to first.
func Sort(objs []any) ([]*mapping.Table, error) {
	var given, tables []*mapping.Table
	for _, obj := range objs {
		t, err := mapping.Of(reflect.TypeOf(obj))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(given, t) {
			given = append(given, t)
		}
	}
	for _, c := range depgraph.New(given).Components() {
		tables = append(tables, c.Tables...)
	}
	return tables, nil
}

// between returns the many-to-many relations of tables, one for each table
// between two.
func between(tables []*mapping.Table) (out []*mapping.Relation) {
	known := map[string]bool{}
	for _, t := range tables {
		for _, r := range t.Relations() {
			if r.Kind == mapping.ManyToMany && !known[r.Through.Name] {
				known[r.Through.Name] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// createBetween is CREATE TABLE IF NOT EXISTS of the table of a many-to-many
// relation.
func createBetween(d *engine.Dialect, r *mapping.Relation) (string, error) {
	var lines, all []string
	side := func(names []string, t *mapping.Table, key []*mapping.Column) error {
		var cols, refs []string
		for i, name := range names {
			typ, err := sqlType(d, t, key[i])
			if err != nil {
				return err
			}
			cols, refs = append(cols, d.QuoteName(name)), append(refs, d.QuoteName(key[i].Name))
			lines = append(lines, cols[i]+" "+typ+" NOT NULL")
		}
		all = append(all, cols...)
		lines = append(lines, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", strings.Join(cols, ", "), dml.For(d, t).Name, strings.Join(refs, ", ")))
		return nil
	}
	if err := side(r.Through.Local, r.Table, r.Local); err != nil {
		return "", err
	}
	if err := side(r.Through.Remote, r.Other, r.Remote); err != nil {
		return "", err
	}
	slices.SortStableFunc(lines, func(a, b string) int { // columns come before what is said of them
		return strings.Compare(head(a), head(b))
	})
	lines = append(lines, "PRIMARY KEY ("+strings.Join(all, ", ")+")")
	return "CREATE TABLE IF NOT EXISTS " + dml.QuotePath(d, r.Through.Name) + " (\n\t" + strings.Join(lines, ",\n\t") + "\n)", nil
}

func head(line string) string {
	if strings.HasPrefix(line, "FOREIGN") {
		return "1"
	}
	return "0"
}

// createTable is CREATE TABLE IF NOT EXISTS. A reference to a table that comes
// later, because the two refer to each other, is left out.
func createTable(d *engine.Dialect, t *mapping.Table, done map[*mapping.Table]bool) (string, error) {
	x := dml.For(d, t)
	var lines []string
	for i, c := range t.Columns {
		line, err := columnLine(d, t, c)
		if err != nil {
			return "", err
		}
		lines = append(lines, x.Columns[i]+" "+line)
	}
	quoted := func(cols []*mapping.Column, of *dml.Statements) string {
		names := make([]string, len(cols))
		for i, c := range cols {
			names[i] = of.Columns[c.Index]
		}
		return strings.Join(names, ", ")
	}
	lines = append(lines, "PRIMARY KEY ("+quoted(t.Key, x)+")")
	for _, u := range t.Uniques() {
		if u.Group != "" {
			lines = append(lines, "UNIQUE ("+quoted(u.Columns, x)+")")
		}
	}
	for i, c := range t.Columns {
		if r := c.References; r != nil {
			lines = append(lines, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", x.Columns[i], dml.QuotePath(d, r.Table), d.QuoteName(r.Column)))
		}
	}
	for _, r := range t.Relations() {
		if r.Kind == mapping.BelongsTo && r.Local[0].References == nil && done[r.Other] {
			other := dml.For(d, r.Other)
			lines = append(lines, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", quoted(r.Local, x), other.Name, quoted(r.Remote, other)))
		}
	}
	if dml.IsMySQL(d) { // which uses these for its foreign keys
		for _, cols := range unindexed(t) {
			lines = append(lines, "INDEX ("+quoted(cols, x)+")")
		}
	}
	return "CREATE TABLE IF NOT EXISTS " + x.Name + " (\n\t" + strings.Join(lines, ",\n\t") + "\n)", nil
}

// columnLine is the definition of a column behind its name.
func columnLine(d *engine.Dialect, t *mapping.Table, c *mapping.Column) (string, error) {
	typ, err := sqlType(d, t, c)
	if err != nil {
		return "", err
	}
	line := typ
	switch {
	case c.Generated && c.Expression == "":
		return "", lacksExpression(t, c, "generated")
	case c.Generated:
		return line + " GENERATED ALWAYS AS (" + c.Expression + ") STORED", nil
	case c.Default && c.Expression != "":
		line += " DEFAULT " + c.Expression
	case c.Default && c.Type == reflect.TypeFor[time.Time]():
		line += " DEFAULT " + now(d)
	case c.Default:
		return "", lacksExpression(t, c, "default")
	case c.Auto && d.NativeScan:
		line += " GENERATED BY DEFAULT AS IDENTITY"
	case c.Auto && dml.IsMySQL(d):
		line += " AUTO_INCREMENT"
	}
	if !c.Nullable {
		line += " NOT NULL"
	}
	if c.Unique {
		line += " UNIQUE"
	}
	return line, nil
}

func lacksExpression(t *mapping.Table, c *mapping.Column, option string) error {
	return &mapping.Error{Type: t.Type, Field: c.Field, Problem: fmt.Sprintf(
		"can't be created: its %s value has no expression: want %s:expression in the tag", option, option)}
}

func now(d *engine.Dialect) string {
	if dml.IsMySQL(d) {
		return "CURRENT_TIMESTAMP(6)"
	}
	return "CURRENT_TIMESTAMP"
}

// types are the SQL types of the three families of databases for one of Go.
type types struct{ postgres, mysql, sqlite string }

func (t types) of(d *engine.Dialect) string {
	switch {
	case d.NativeScan:
		return t.postgres
	case dml.IsMySQL(d):
		return t.mysql
	default:
		return t.sqlite
	}
}

var (
	integers  = types{"bigint", "BIGINT", "INTEGER"}
	smaller   = types{"integer", "INT", "INTEGER"}
	smallest  = types{"smallint", "SMALLINT", "INTEGER"}
	unsigned  = types{"numeric(20)", "BIGINT UNSIGNED", "INTEGER"}
	floats    = types{"double precision", "DOUBLE", "REAL"}
	texted    = types{"text", "LONGTEXT", "TEXT"}
	shortText = types{"text", "VARCHAR(255)", "TEXT"} // MySQL indexes no text without a length
	booleans  = types{"boolean", "BOOLEAN", "BOOLEAN"}
	bytesType = types{"bytea", "LONGBLOB", "BLOB"}
	uuids     = types{"uuid", "BINARY(16)", "BLOB"}
	textUUIDs = types{"uuid", "CHAR(36)", "TEXT"}
	times     = types{"timestamptz", "DATETIME(6)", "TIMESTAMP"}
	jsons     = types{"jsonb", "JSON", "TEXT"}
)

var typesOfKind = map[reflect.Kind]types{
	reflect.Bool: booleans, reflect.String: texted, reflect.Float32: floats, reflect.Float64: floats,
	reflect.Int: integers, reflect.Int64: integers, reflect.Uint32: integers, reflect.Int32: smaller, reflect.Uint16: smaller,
	reflect.Int16: smallest, reflect.Int8: smallest, reflect.Uint8: smallest, reflect.Uint: unsigned, reflect.Uint64: unsigned,
}

// sqlType is the type of a column.
func sqlType(d *engine.Dialect, t *mapping.Table, c *mapping.Column) (string, error) {
	indexed := c.Indexed() || refers(t, c)
	switch {
	case c.SQLType != "":
		return c.SQLType, nil
	case c.JSON, c.Array && !d.NativeScan:
		return jsons.of(d), nil
	case c.Array:
		elem, ok := goType(d, c.Type.Elem(), false)
		if ok {
			return elem + "[]", nil
		}
	default:
		if typ, ok := goType(d, c.Type, indexed); ok {
			return typ, nil
		}
	}
	return "", &mapping.Error{Type: t.Type, Field: c.Field, Problem: fmt.Sprintf(
		"of type %s can't be created: want its SQL type in the tag, such as type:text", c.Type)}
}

// refers reports whether a relation refers by a column.
func refers(t *mapping.Table, c *mapping.Column) bool {
	return slices.ContainsFunc(t.Relations(), func(r *mapping.Relation) bool {
		return r.Kind == mapping.BelongsTo && slices.Contains(r.Local, c)
	})
}

// goType is the SQL type that keeps a type of Go.
func goType(d *engine.Dialect, t reflect.Type, indexed bool) (string, bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v, ok := nullValue(t); ok {
		t = v
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return times.of(d), true
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return bytesType.of(d), true
	case t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8 && t.Len() == 16:
		if t.Implements(reflect.TypeFor[driver.Valuer]()) { // as text, as the UUID packages have it
			return textUUIDs.of(d), true
		}
		return uuids.of(d), true
	case t.Kind() == reflect.String && indexed:
		return shortText.of(d), true
	case t.Kind() == reflect.Map, t.Kind() == reflect.Interface:
		return jsons.of(d), true
	}
	known, ok := typesOfKind[t.Kind()]
	return known.of(d), ok
}

// nullValue returns the type that a sql.Null or one of its older like holds:
// that of the field beside Valid.
func nullValue(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct || t.PkgPath() != "database/sql" || t.NumField() != 2 {
		return nil, false
	}
	return t.Field(0).Type, true
}
