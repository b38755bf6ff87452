package dml

import (
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Related is SELECT of what n owners hold in a relation.
func (x *Statements) Related(r *mapping.Relation, n int) string {
	return x.of('r', nil, r.Table.FullName()+"."+r.Field+"/"+itoa(n), func(b *builder) {
		cols := IndicesOf(r.Remote)
		alias := b.Name
		b.write("SELECT ")
		b.qualified(alias)
		var through []string
		if r.Kind == mapping.ManyToMany {
			key := QuotePath(b.dialect, r.Through.Name)
			for _, c := range r.Through.Local {
				through = append(through, key+"."+b.dialect.QuoteName(c))
			}
			b.write(", " + strings.Join(through, ", ") + " FROM " + b.Name + " JOIN " + key + " ON ")
			for i, c := range r.Through.Remote {
				if i > 0 {
					b.write(" AND ")
				}
				b.write(key + "." + b.dialect.QuoteName(c) + " = " + alias + "." + b.Columns[cols[i]])
			}
		} else {
			b.write(" FROM " + b.Name)
			for _, c := range cols {
				through = append(through, alias+"."+b.Columns[c])
			}
		}
		b.write(" WHERE ")
		b.in(through, n)
		order := r.Order
		if order == "" {
			order = alias + "." + b.Columns[b.Table.Key[0].Index]
		}
		b.write(" ORDER BY " + order)
	})
}

// qualified writes all columns with the name of their table.
func (b *builder) qualified(alias string) {
	for i, c := range b.Columns {
		if i > 0 {
			b.write(", ")
		}
		b.write(alias + "." + c)
	}
}

// in writes the condition that columns are one of n keys.
func (b *builder) in(cols []string, n int) {
	if len(cols) == 1 {
		b.write(cols[0] + " IN (")
		b.params(n)
		b.write(")")
		return
	}
	for i := range n {
		if i > 0 {
			b.write(" OR ")
		}
		for j, c := range cols {
			b.write([...]string{"(", " AND "}[min(j, 1)] + c + " = ")
			b.param()
		}
		b.write(")")
	}
}
