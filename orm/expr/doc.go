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
// Functions such as [Eq] take a field. An [Expr] is anything else that has a
// value in the database, and has them as methods; [Of] turns a field into one,
// [Func] a function call:
//
//	expr.Func[string]("lower", &u.Name).Eq("alice")
//	expr.Of(&u.Height).GtExpr(expr.Of(&u.Width))
//
// [Cond] is a condition: the result of a function or a method, or SQL text
// ([Text]); [And], [Or] and [Not] join conditions. Where and OrderBy of a query
// take SQL text too.
//
// # NULL
//
// The field of a column that can be NULL is a pointer, or a
// [database/sql.Null], and so is the value it is compared with: nil, like a
// Null that is not valid, means NULL. [Eq], [Ne], [In] and [NotIn] then become
// IS NULL or IS NOT NULL; comparing the order of NULL, as by [Gt], is an error.
// [Opt] and [OptNull] compare such a field with plain values:
//
//	expr.Opt(&u.Nick).Eq("al")
//
// Otherwise SQL's rules apply: a condition on a column that is NULL is neither
// true nor false, and neither is its opposite: Ne(&u.Nick, &al) does not find
// rows without a nick; [Expr.Differs] does.
//
// # What differs between databases
//
// Whether "a" equals "A", and which of them is less, depends on the collation:
// by default they are equal in MariaDB and MySQL, and differ in PostgreSQL and
// SQLite. [Like] ignores case in SQLite, MariaDB and MySQL; [ILike] always
// does.
package expr
