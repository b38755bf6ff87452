package mapping

import "slices"

// Unique is a group of columns of which no two rows have the same values.
type Unique struct {
	// Group is the group's name in the tag; empty for a single column.
	Group string
	// Columns are the columns, in the order of the fields.
	Columns []*Column
}

// Uniques returns the unique columns and groups of the table, without the
// primary key. The slice must not be changed.
func (t *Table) Uniques() []*Unique { return t.uniques }

// Primary returns the primary key as a [Unique].
func (t *Table) Primary() *Unique { return t.primary }

// findUniques collects the groups of the columns' tags.
func (t *Table) findUniques() {
	t.primary = &Unique{Columns: t.Key}
	for _, c := range t.Columns {
		if c.Unique {
			t.uniques = append(t.uniques, &Unique{Columns: []*Column{c}})
		}
		for _, group := range c.groups {
			i := slices.IndexFunc(t.uniques, func(u *Unique) bool { return u.Group == group })
			if i < 0 {
				i = len(t.uniques)
				t.uniques = append(t.uniques, &Unique{Group: group})
			}
			t.uniques[i].Columns = append(t.uniques[i].Columns, c)
		}
	}
}

// Indexed reports whether the column is in a key or a unique group, or refers
// to another table by its tag.
func (c *Column) Indexed() bool {
	return c.PK || c.Unique || len(c.groups) > 0 || c.References != nil
}
