// Package rows selects rows of several objects and expressions, typed, with a session
// of package orm:
//
//	q := orm.From[User]()
//	u, a := q.Row(), orm.From[Address]().Row()
//	found, err := rows.Select2(q.Join(&u.Addresses), expr.Object(u), expr.Of(&a.City)).All(ctx, s)
//	for _, row := range found {
//		fmt.Println(row.A.Name, row.B) // a *User and a string
//	}
//
// What is selected is made with package orm/expr: columns, functions,
// aggregates; [github.com/sessionproxy/sessionproxy/orm/expr.Object] selects an
// object of the session, one pointer per row. [Into] fills the fields of a
// struct of your own.
//
// Unlike a query for objects, a query for rows returns a row for each match of
// a join.
package rows
