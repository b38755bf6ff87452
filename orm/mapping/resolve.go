package mapping

import (
	"fmt"
	"reflect"
	"strings"
)

// resolve connects the relations of a table with the tables of their objects,
// and so on with the relations of those tables.
func (t *Table) resolve() error {
	if t.resolved.Load() {
		return nil
	}
	seen := map[*Table]bool{t: true}
	for queue := []*Table{t}; len(queue) > 0; queue = queue[1:] {
		if err := queue[0].connect(); err != nil {
			return err
		}
		for _, r := range queue[0].relations {
			if !seen[r.Other] {
				seen[r.Other] = true
				queue = append(queue, r.Other)
			}
		}
	}
	t.resolved.Store(true)
	return nil
}

// connect connects the relations of one table. An error is permanent.
func (t *Table) connect() error {
	t.once.Do(func() {
		for _, r := range t.relations {
			if err := r.connect(); err != nil {
				t.wrong = err
				return
			}
		}
	})
	return t.wrong
}

func (r *Relation) connect() error {
	other, err := tableOf(r.elem)
	if err != nil {
		return err
	}
	r.Other = other
	switch r.Kind {
	case BelongsTo:
		r.Remote = other.Key
		r.Local, err = r.foreignKey(r.Table, other, Snake(lastName(r.Field)))
	case HasOne, HasMany:
		r.Local = r.Table.Key
		r.Remote, err = r.foreignKey(other, r.Table, Snake(r.Table.Type.Name()))
	case ManyToMany:
		r.Local, r.Remote = r.Table.Key, other.Key
		r.Through = &Through{Name: r.tag.through, Local: r.tag.fk, Remote: r.tag.ref}
		if r.Through.Local == nil {
			r.Through.Local = keyNames(Snake(r.Table.Type.Name()), r.Local)
		}
		if r.Through.Remote == nil {
			r.Through.Remote = keyNames(Snake(other.Type.Name()), r.Remote)
		}
		if len(r.Through.Local) != len(r.Local) || len(r.Through.Remote) != len(r.Remote) {
			err = fmt.Errorf("needs as many columns of %s in fk and ref as the keys of %s and %s have", r.tag.through, r.Table.FullName(), other.FullName())
		}
	}
	if err != nil {
		return &Error{r.Table.Type, r.Field, err.Error()}
	}
	return nil
}

// lastName returns a field's name without those of the structs it is in.
func lastName(field string) string { return field[strings.LastIndexByte(field, '.')+1:] }

// keyNames returns the default names of the columns that refer to a key.
func keyNames(prefix string, key []*Column) []string {
	names := make([]string, len(key))
	for i, c := range key {
		names[i] = prefix + "_" + c.Name
	}
	return names
}

// foreignKey finds the columns of one table that refer to the key of another:
// those of the option fk, or those with the default names.
func (r *Relation) foreignKey(from, to *Table, prefix string) ([]*Column, error) {
	names := r.tag.fk
	if names == nil {
		names = keyNames(prefix, to.Key)
	}
	if len(names) != len(to.Key) {
		return nil, fmt.Errorf("has %d columns in fk, and the key of %s has %d: want them joined by +", len(names), to.FullName(), len(to.Key))
	}
	cols := make([]*Column, len(names))
	for i, name := range names {
		c := from.Column(name)
		switch {
		case c == nil:
			return nil, fmt.Errorf("needs the column %q of %s, which is not there: name it with the option fk", name, from.FullName())
		case c.Generated || c.ReadOnly || c.Version:
			return nil, fmt.Errorf("needs the column %q of %s to be written, which it never is", name, from.FullName())
		case base(c.Type) != base(to.Key[i].Type) && !(c.takesInt() && to.Key[i].integer):
			return nil, fmt.Errorf("has the foreign key %s.%s of type %s for %s.%s of type %s", from.FullName(), name, c.Type, to.FullName(), to.Key[i].Name, to.Key[i].Type)
		}
		c.refers.Store(true)
		cols[i] = c
	}
	return cols, nil
}

// base returns a type without the pointer or the sql.Null around it.
func base(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	if t.Kind() == reflect.Struct && t.PkgPath() == "database/sql" && t.NumField() == 2 {
		return t.Field(0).Type
	}
	return t
}

// takesInt reports whether the column holds integers, or NULL.
func (c *Column) takesInt() bool { return isInteger(base(c.Type)) }
