package scan

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Field is a field of a struct that takes a column.
type Field struct {
	// Column is the column's name.
	Column string
	// Name is the field's, with those of the embedded structs it is in, such
	// as Address.City.
	Name string
	// Type is the field's type.
	Type reflect.Type
	// Index leads to the field, as for [reflect.Value.FieldByIndex].
	Index []int
	// Options are the parts of the tag after the name.
	Options []string
}

// Has reports whether the field's tag has an option.
func (f Field) Has(option string) bool { return slices.Contains(f.Options, option) }

// Fields returns the fields of a struct type, or of a pointer to one, that
// take columns, in the order of their declaration. If two have the same column,
// the shallower one is listed; at the same depth, both are. It returns nothing
// for other types.
func Fields(t reflect.Type) []Field {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	w := walker{nearest: map[string]int{}}
	w.walk(t, Field{}, map[reflect.Type]bool{t: true})
	shown := w.fields[:0]
	for _, f := range w.fields {
		if len(f.Index) == w.nearest[f.Column] {
			shown = append(shown, f)
		}
	}
	return shown
}

// walker collects the fields of a struct and of those embedded in it.
type walker struct {
	fields  []Field
	nearest map[string]int // by column: the least depth
}

func (w *walker) walk(t reflect.Type, outer Field, within map[reflect.Type]bool) {
	for i := range t.NumField() {
		sf := t.Field(i)
		f := Field{Type: sf.Type, Index: append(slices.Clip(outer.Index), i), Name: sf.Name}
		if outer.Name != "" {
			f.Name = outer.Name + "." + sf.Name
		}
		name, ok := f.readTag(sf.Tag)
		if !ok {
			continue
		}
		if inner, ok := embedded(sf); ok && name == "" {
			if !within[inner] {
				within[inner] = true
				w.walk(inner, f, within)
				delete(within, inner)
			}
			continue
		}
		if !sf.IsExported() {
			continue
		}
		if f.Column = name; name == "" {
			f.Column = snake(sf.Name)
		}
		if depth, known := w.nearest[f.Column]; !known || len(f.Index) < depth {
			w.nearest[f.Column] = len(f.Index)
		}
		w.fields = append(w.fields, f)
	}
}

// readTag reads a field's tag. It returns false for a field without a column.
func (f *Field) readTag(tag reflect.StructTag) (name string, ok bool) {
	text, ok := tag.Lookup("orm")
	if !ok {
		text = tag.Get("db")
	}
	if text == "-" {
		return "", false
	}
	parts := strings.Split(text, ",")
	if strings.Contains(parts[0], ":") { // an option, no name
		parts = append([]string{""}, parts...)
	}
	for _, o := range parts[1:] {
		if strings.HasPrefix(o, "rel:") {
			return "", false
		}
	}
	f.Options = parts[1:]
	return parts[0], true
}

// embedded returns the struct that a field embeds, unless it is a single value.
func embedded(sf reflect.StructField) (reflect.Type, bool) {
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t, sf.Anonymous && isRecord(t)
}

// snake returns a field's name in snake case: UserID is user_id.
func snake(name string) string {
	var b strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && rs[i-1] != '_' &&
			(!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
