package orm

import (
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// related is SELECT of what n owners hold in a relation.
func (x *texts) related(r *mapping.Relation, n int) string {
	return x.of('r', nil, r.Table.FullName()+"."+r.Field+"/"+itoa(n), func(b *builder) {
		cols := indicesOf(r.Remote)
		alias := b.name
		b.write("SELECT ")
		b.qualified(alias)
		var through []string
		if r.Kind == mapping.ManyToMany {
			key := quotePath(b.dialect, r.Through.Name)
			for _, c := range r.Through.Local {
				through = append(through, key+"."+b.dialect.QuoteName(c))
			}
			b.write(", " + strings.Join(through, ", ") + " FROM " + b.name + " JOIN " + key + " ON ")
			for i, c := range r.Through.Remote {
				if i > 0 {
					b.write(" AND ")
				}
				b.write(key + "." + b.dialect.QuoteName(c) + " = " + alias + "." + b.columns[cols[i]])
			}
		} else {
			b.write(" FROM " + b.name)
			for _, c := range cols {
				through = append(through, alias+"."+b.columns[c])
			}
		}
		b.write(" WHERE ")
		b.in(through, n)
		order := r.Order
		if order == "" {
			order = alias + "." + b.columns[b.table.Key[0].Index]
		}
		b.write(" ORDER BY " + order)
	})
}

// qualified writes all columns with the name of their table.
func (b *builder) qualified(alias string) {
	for i, c := range b.columns {
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

func indicesOf(cols []*mapping.Column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.Index
	}
	return out
}
