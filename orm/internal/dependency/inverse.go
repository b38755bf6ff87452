package dependency

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Inverses returns the relations of the other table that are the other side of
// a relation.
func Inverses(r *mapping.Relation) (out []*mapping.Relation) {
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

// Known reports whether one side of the relation was read in full, so that a row
// between the two that it does not hold is not there.
func (p Pair) Known() bool {
	if p.One.Loaded(p.Relation) {
		return true
	}
	return slices.ContainsFunc(Inverses(p.Relation), func(r *mapping.Relation) bool { return p.Other.Loaded(r) })
}

// paired reports whether the other side of a many-to-many relation has held an
// object already, so that the row between the two is there.
func (p Pair) paired() bool {
	for _, inverse := range Inverses(p.Relation) {
		if slices.Contains(p.Other.Committed(inverse), p.One.Object) {
			return true
		}
	}
	return false
}
