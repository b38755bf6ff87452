// Package mapping maps structs to rows of tables.
//
//	type User struct {
//		ID      int64                          // "id": the primary key
//		Email   string    `orm:"email,unique"`
//		TeamID  *int64    `orm:",references:teams.id"`
//		Version int64     `orm:",version"`
//		Since   time.Time `orm:",default"`     // the server's, while it is zero
//		Tags    []string  `orm:",json"`
//		secret  string                         // left alone, as is `orm:"-"`
//	}
//
// The table is named after the type in snake case, or by a method TableName of
// the type or its pointer, whose result may start with a schema and a dot.
// Columns and embedded structs are those of package engine/scan, by the tag
// orm, or db if there is no orm tag. The options after the name are
//
//   - pk: the column is the primary key, or part of one in the order of the
//     fields. If no column has the option, "id" is the key.
//   - auto: the database generates the key if the field is zero. This is the default for a single integer key that refers to no other table.
//   - noauto: the application sets the key, which may be zero.
//   - version: the column, an integer, counts the updates of the row from 1 and guards against concurrent ones.
//   - default: if the field is zero the server sets the value, which is read back. To store an actual zero use a pointer or a sql.Null.
//   - generated: the database computes the value, which is only read.
//   - default:expression, generated:expression: the same, with the SQL for a
//     table that is created by orm.CreateAll.
//   - type:numeric(10,2): the column's type in such a table. On a string,
//     type:uuid also says that case, hyphens and braces make no difference.
//   - readonly: the column is read and never written.
//   - unique: no two rows have the same value.
//   - unique:group: no two rows have the same values in all columns of the group.
//   - references:table.column: the column refers to another table, whose rows
//     are written first and deleted last. The column may be left out if it is
//     "id".
//   - json: the value is stored as JSON.
//
// # Relations
//
// A field that holds objects of another table has the option rel:
//
//	Team    *Team     `orm:"rel:belongs-to"`                   // team_id of this table
//	Profile *Profile  `orm:"rel:has-one,cascade:all+orphan"`    // user_id of the other
//	Orders  []*Order  `orm:"rel:has-many,fk:customer_id"`
//	Tags    []*Tag    `orm:"rel:many-to-many,through:user_tag"` // user_id and tag_id of a third
//
// Its other options are
//
//   - fk:column: the foreign key; several columns are joined by +, in the order
//     of the key. By default it is named after the field (belongs-to) or the
//     type (others) and the key.
//   - ref:column: the other foreign key of an association table.
//   - cascade:words joined by +: the methods that also apply to the related
//     objects. save adds them with their owner, merge merges, delete deletes,
//     expunge expunges and refresh expires them with it; all is these five.
//     orphan deletes an object that is taken out of the relation; none is none
//     of these. The default is save+merge.
//   - passive: rows that refer to a deleted row are not read first: the
//     database's own ON DELETE deletes them or clears their reference.
//   - order:columns: the order of the objects; by default that of their keys.
//
// A type is checked once, on first use; a mistake is reported as an [*Error]
// that names type and field.
package mapping
