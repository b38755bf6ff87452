package orm

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// inverses returns the relations of the other table that are the other side of
// a relation.
func inverses(r *mapping.Relation) (out []*mapping.Relation) {
	for _, o := range r.Other.Relations() {
		switch {
		case o.Other != r.Table:
		case r.Kind == mapping.BelongsTo && (o.Kind == mapping.HasOne || o.Kind == mapping.HasMany) && slices.Equal(o.Remote, r.Local),
			r.Kind == mapping.ManyToMany && o.Kind == mapping.ManyToMany && o.Through.Name == r.Through.Name && slices.Equal(o.Through.Local, r.Through.Remote):
			out = append(out, o)
		}
	}
	return out
}

// paired reports whether the other side of a many-to-many relation has held an
// object already, so that the row between the two is there.
func (p pair) paired() bool {
	for _, inverse := range inverses(p.r) {
		if slices.Contains(p.other.linked(inverse), p.one.obj) {
			return true
		}
	}
	return false
}
