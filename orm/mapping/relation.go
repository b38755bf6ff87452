package mapping

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// Kind is the kind of a [Relation].
type Kind uint8

const (
	// BelongsTo is a pointer to the object that the table refers to.
	BelongsTo Kind = iota
	// HasOne is a pointer to the object that refers to this one.
	HasOne
	// HasMany is a slice of pointers to the objects that refer to this one.
	HasMany
	// ManyToMany is a slice of pointers to objects that a table between the
	// two refers to.
	ManyToMany
)

var kinds = [...]string{"belongs-to", "has-one", "has-many", "many-to-many"}

// String returns the word of the tag, such as "has-many".
func (k Kind) String() string { return kinds[k] }

// Cascade is the set of session methods that also apply to the objects of a
// relation.
type Cascade uint8

const (
	// CascadeSave adds the related objects with the object.
	CascadeSave Cascade = 1 << iota
	// CascadeMerge merges the related objects with the object.
	CascadeMerge
	// CascadeDelete deletes the related objects with the object.
	CascadeDelete
	// CascadeOrphan deletes an object that is removed from the relation.
	CascadeOrphan
	// CascadeExpunge expunges the related objects with the object.
	CascadeExpunge
	// CascadeRefresh expires the related objects with the object.
	CascadeRefresh
)

var cascades = map[string]Cascade{
	"none": 0, "save": CascadeSave, "merge": CascadeMerge, "delete": CascadeDelete, "orphan": CascadeOrphan,
	"expunge": CascadeExpunge, "refresh": CascadeRefresh,
	"all": CascadeSave | CascadeMerge | CascadeDelete | CascadeExpunge | CascadeRefresh,
}

// Relation is a field that holds objects of another table, or of the same one.
// It is immutable and safe for concurrent use.
type Relation struct {
	// Kind is how the two tables refer to each other.
	Kind Kind
	// Field is the field's name, prefixed with those of the embedded structs
	// that contain it.
	Field string
	// Table is the table the field belongs to.
	Table *Table
	// Other is the table of the objects.
	Other *Table
	// Index is the relation's position among the table's relations.
	Index int
	// Local are the columns of Table: the foreign key of [BelongsTo], the
	// primary key of others.
	Local []*Column
	// Remote are the columns of Other that Local is matched with: the primary
	// key, or the foreign key of [HasOne] and [HasMany]. For [ManyToMany] it is
	// the primary key, matched with Through.Remote.
	Remote []*Column
	// Through is the association table of [ManyToMany]; otherwise nil.
	Through *Through
	// Cascade says which methods also apply to the related objects.
	Cascade Cascade
	// Passive says that the database itself deletes the rows that refer to a
	// deleted row, or clears their reference: they need not be read first.
	Passive bool
	// Order is the order in which the objects are read: columns of Other; empty
	// for the order of its key.
	Order string

	offset uintptr
	slice  bool
	tag    relationTag
	elem   reflect.Type
}

// Through is the association table of a many-to-many relation.
type Through struct {
	// Name is the table's name, with its schema if that was given.
	Name string
	// Local are the table's columns that refer to the relation's table.
	Local []string
	// Remote are the table's columns that refer to the other table.
	Remote []string
}

// relationTag is the parsed tag.
type relationTag struct {
	kind    Kind
	fk, ref []string
	through string
	cascade Cascade
	passive bool
	order   string
}

// Many reports whether the field is a slice.
func (r *Relation) Many() bool { return r.slice }

// AppendMembers appends the objects that the field of the object at obj holds;
// nil pointers are left out.
func (r *Relation) AppendMembers(dst []unsafe.Pointer, obj unsafe.Pointer) []unsafe.Pointer {
	p := unsafe.Add(obj, r.offset)
	if !r.slice {
		if m := *(*unsafe.Pointer)(p); m != nil {
			dst = append(dst, m)
		}
		return dst
	}
	for _, m := range *(*[]unsafe.Pointer)(p) { // a slice of pointers of any type
		if m != nil {
			dst = append(dst, m)
		}
	}
	return dst
}

// Nil reports whether the field of the object at obj is nil.
func (r *Relation) Nil(obj unsafe.Pointer) bool {
	if p := unsafe.Add(obj, r.offset); r.slice {
		return *(*[]unsafe.Pointer)(p) == nil
	}
	return *(*unsafe.Pointer)(unsafe.Add(obj, r.offset)) == nil
}

// Set stores these objects in the field of the object at obj; a pointer field
// gets the first of them, or nil. The caller must not use the slice afterwards.
func (r *Relation) Set(obj unsafe.Pointer, members []unsafe.Pointer) {
	p := unsafe.Add(obj, r.offset)
	if r.slice {
		if members == nil {
			members = []unsafe.Pointer{} // read, and empty
		}
		*(*[]unsafe.Pointer)(p) = members
		return
	}
	*(*unsafe.Pointer)(p) = nil
	if len(members) > 0 {
		*(*unsafe.Pointer)(p) = members[0]
	}
}

// relationsOf finds the fields of a struct that are relations.
func (t *Table) relationsOf(typ reflect.Type, offset uintptr, prefix string) error {
	for sf := range typ.Fields() {
		options, ok := relationOptions(sf)
		if !ok {
			if sf.Anonymous && sf.Type.Kind() == reflect.Struct && sf.Tag.Get("orm") != "-" {
				if err := t.relationsOf(sf.Type, offset+sf.Offset, prefix+sf.Name+"."); err != nil {
					return err
				}
			}
			continue
		}
		r := &Relation{Field: prefix + sf.Name, Table: t, Index: len(t.relations), offset: offset + sf.Offset}
		if err := r.declare(sf, options); err != nil {
			return &Error{t.Type, r.Field, err.Error()}
		}
		t.relations = append(t.relations, r)
	}
	return nil
}

// relationOptions returns the options of a field's tag, if the field is a
// relation.
func relationOptions(sf reflect.StructField) ([]string, bool) {
	text, ok := sf.Tag.Lookup("orm")
	if !ok {
		return nil, false
	}
	options := joined(strings.Split(text, ","))
	if options[0] == "" {
		options = options[1:]
	}
	return options, slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "rel:") })
}

// declare reads the field and its tag; resolve checks the parts that concern
// other tables.
func (r *Relation) declare(sf reflect.StructField, options []string) error {
	if !sf.IsExported() {
		return fmt.Errorf("is a relation that nobody can set: fields have to be exported")
	}
	r.tag.cascade = CascadeSave | CascadeMerge
	for _, o := range options {
		if err := r.tag.option(o); err != nil {
			return err
		}
	}
	r.Kind, r.Cascade, r.Passive, r.Order = r.tag.kind, r.tag.cascade, r.tag.passive, r.tag.order
	typ := sf.Type
	if r.slice = r.Kind == HasMany || r.Kind == ManyToMany; r.slice {
		if typ.Kind() != reflect.Slice {
			return fmt.Errorf("is %s and of type %s: want a slice of pointers to structs", r.Kind, sf.Type)
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Pointer || typ.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("is %s and of type %s: want a pointer to a struct, or for has-many and many-to-many a slice of them", r.Kind, sf.Type)
	}
	r.elem = typ.Elem()
	return r.agree()
}

// option applies an option of the tag.
func (g *relationTag) option(o string) error {
	name, value, _ := strings.Cut(o, ":")
	switch name {
	case "rel":
		i := slices.Index(kinds[:], value)
		if i < 0 {
			return fmt.Errorf("the option %q is unknown: want rel: and one of %s", o, strings.Join(kinds[:], ", "))
		}
		g.kind = Kind(i)
	case "fk":
		g.fk = strings.Split(value, "+")
	case "ref":
		g.ref = strings.Split(value, "+")
	case "through":
		g.through = value
	case "order":
		g.order = value
	case "passive":
		g.passive = true
	case "cascade":
		g.cascade = 0
		for word := range strings.SplitSeq(value, "+") {
			c, ok := cascades[word]
			if !ok {
				return fmt.Errorf("the option %q is unknown: want cascade: and save, merge, delete, orphan, expunge, refresh, all or none, joined by +", o)
			}
			g.cascade |= c
		}
	default:
		return fmt.Errorf("the option %q is unknown for a relation: want rel, fk, ref, through, order, cascade or passive", o)
	}
	return nil
}

// agree checks that the options go together.
func (r *Relation) agree() error {
	switch has := r.tag; {
	case has.through != "" && r.Kind != ManyToMany:
		return fmt.Errorf("has the option through, which is for many-to-many")
	case has.through == "" && r.Kind == ManyToMany:
		return fmt.Errorf("is many-to-many without a table between the two: want through:table")
	case r.Cascade&CascadeOrphan != 0 && r.Kind != HasOne && r.Kind != HasMany:
		return fmt.Errorf("is %s with cascade:orphan: only what has-one and has-many own can be an orphan", r.Kind)
	case r.Cascade&CascadeDelete != 0 && r.Kind == BelongsTo:
		return fmt.Errorf("is belongs-to with cascade:delete: what others may refer to too is not deleted with one of them")
	case has.ref != nil && r.Kind != ManyToMany:
		return fmt.Errorf("has the option ref, which is for many-to-many")
	}
	return nil
}
