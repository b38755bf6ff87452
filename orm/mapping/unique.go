package mapping

import "slices"

// Unique are columns of which no two rows have the same values.
type Unique struct {
	// Group is the name that the tag gives them; empty for a column by itself.
	Group string
	// Columns are the columns, in the order of the fields.
	Columns []*Column
}

// Uniques returns what no two rows of the table have in common, but for the
// primary key. The slice is the table's own.
func (t *Table) Uniques() []*Unique { return t.uniques }

// Primary returns the primary key as what no two rows have in common.
func (t *Table) Primary() *Unique { return t.primary }

// findUniques collects what the columns' tags say.
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

// Indexed reports whether the column is in a key or in what is unique, or refers
// to another table by its tag.
func (c *Column) Indexed() bool {
	return c.PK || c.Unique || len(c.groups) > 0 || c.References != nil
}
