// Package scan reads rows into structs and single values.
//
//	type User struct {
//		ID    int64
//		Name  string  `db:"full_name"`
//		Email *string // NULL is nil
//	}
//
//	plan, err := scan.PlanFor[User](columns)
//	for rows.Next() {
//		var u User
//		err := plan.Scan(rows, &u)
//	}
//
// A [Plan] maps the columns of a result to fields. It is made once per type
// and list of columns and then cached, so that a row costs no reflection: each
// field is at a known offset in the struct, and the driver gets a plain pointer
// to it, *int64, *string, *time.Time, as in hand-written code. It works with
// [database/sql.Rows] and pgx's Rows, pgx on its binary path.
//
// # Columns and fields
//
// A field is named by its tag: the part before the first comma of orm:"…", or
// of db:"…" if there is no orm tag. Without a name there, it is the field's
// own in snake case: UserID is user_id. "-" leaves a field out, and so does a
// relation, orm:"rel:…". Where no field has a column's exact name, case is
// ignored. Fields of embedded structs count as the struct's own, by Go's rule
// that the shallowest wins; an embedded pointer is set to a new struct. Fields
// that aren't exported are left alone.
//
// A column without a field is an error, unless [WithUnknownIgnored] is given; a
// duplicate column always is. A field without a column keeps its value.
//
// # NULL
//
// NULL can be read into a pointer, a [database/sql.Null], an any, a slice, a
// map, or a Scanner that accepts it. Anywhere else it is a [ColumnError] that
// matches [ErrNull] and names column and field.
//
// # Conversions
//
// The option json of a tag, db:"meta,json", reads a JSON text into the field,
// whatever its type. [WithConversions] adds conversions that drivers of
// database/sql lack and pgx has: text and numbers into times, bits into bools,
// UUIDs into arrays, and JSON into maps, slices and structs.
package scan
