package dml

// Upsert is INSERT of n rows of these columns. Of a row that has the values of
// the unique columns on already, the columns set are updated; none: it stays as
// it is. It gives back all columns where the database can.
func (x *Statements) Upsert(cols, on, set []int, n int) string {
	extra := "/" + indices(on) + "/" + indices(set) + "/" + itoa(n)
	return x.of('c', cols, extra, func(b *builder) {
		b.write("INSERT INTO " + b.Name + " (")
		b.names(cols)
		b.write(") VALUES ")
		for row := range n {
			if row > 0 {
				b.write(", ")
			}
			b.write("(")
			b.params(len(cols))
			b.write(")")
		}
		mysql := IsMySQL(b.dialect)
		switch {
		case mysql:
			b.write(" ON DUPLICATE KEY UPDATE ")
			if len(set) == 0 {
				b.write(b.Columns[on[0]] + " = " + b.Columns[on[0]])
			}
		case len(set) == 0:
			b.write(" ON CONFLICT (")
			b.names(on)
			b.write(") DO NOTHING")
		default:
			b.write(" ON CONFLICT (")
			b.names(on)
			b.write(") DO UPDATE SET ")
		}
		for i, c := range set {
			if i > 0 {
				b.write(", ")
			}
			value := "excluded." + b.Columns[c]
			if mysql {
				value = "VALUES(" + b.Columns[c] + ")"
			}
			b.write(b.Columns[c] + " = " + value)
		}
		if v := b.Table.Version; v != nil && len(set) > 0 {
			name := b.Columns[v.Index]
			b.write(", " + name + " = " + b.Name + "." + name + " + 1")
		}
		if b.dialect.Features.InsertReturning {
			b.returning(b.Table.All())
		}
	})
}

// ByColumns is SELECT of the rows with one of n combinations of values in these
// columns.
func (x *Statements) ByColumns(cols []int, n int) string {
	return x.of('b', cols, "/"+itoa(n), func(b *builder) {
		b.write("SELECT " + b.List + " FROM " + b.Name + " WHERE ")
		names := make([]string, len(cols))
		for i, c := range cols {
			names[i] = b.Columns[c]
		}
		b.in(names, n)
	})
}
