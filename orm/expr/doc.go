// Package expr makes conditions and expressions that the compiler checks, for
// queries of package orm. A query has a row whose fields stand for columns, and
// a pointer to a field is its column:
//
//	q := orm.From[User]()
//	u := q.Row()
//	users, err := q.
//		Where(expr.Like(&u.Name, "%Alice%"), expr.Gt(&u.Age, 18)).
//		OrderBy(expr.Desc(&u.ID)).
//		All(ctx, s)
//
// A value must be of the field's type, or it does not compile. Renaming a field
// renames it in the query. A pointer that is in no row of the query is an error
// of the query, which names it. No code is generated.
//
// # Fields and expressions
//
// Functions such as [Eq] take a field. An [Expr] is anything else that has a value
// in the database, and has the same as methods; [Of] makes one of a field, [Func]
// of a function:
//
//	expr.Func[string]("lower", &u.Name).Eq("alice")
//	expr.Of(&u.Height).GtExpr(expr.Of(&u.Width))
//
// [Cond] is a condition, whether it came from a function, a method, or from text
// ([Text]); [And], [Or] and [Not] join conditions. Where and OrderBy of a query
// take SQL text beside them.
//
// # NULL
//
// The field of a column that can be NULL is a pointer, or a [database/sql.Null],
// and so is the value it is compared with: nil, like a Null that is not valid,
// means NULL. [Eq], [Ne], [In] and [NotIn] then ask IS NULL or IS NOT NULL; an
// order, such as that of [Gt], has no NULL and is an error. [Opt] and [OptNull] compare such
// a field with plain values:
//
//	expr.Opt(&u.Nick).Eq("al")
//
// What remains is SQL: a condition about a column that is NULL is neither true
// nor false, and neither is its opposite: Ne(&u.Nick, &al) does not find rows
// without a nick; [Expr.Differs] does.
//
// # What differs between databases
//
// Whether "a" equals "A", and which of them is less, is the collation's matter: by default
// MariaDB and MySQL do not tell them apart, PostgreSQL and SQLite do. [Like] of SQLite,
// MariaDB and MySQL does not tell them apart either; [ILike] never does.
package expr
