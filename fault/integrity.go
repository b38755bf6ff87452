package fault

// Kind is the kind of constraint that a statement violated. The zero value is
// [KindOther].
type Kind uint8

const (
	// KindOther is a constraint of another kind, or one whose kind the database
	// does not report.
	KindOther Kind = iota
	// KindUnique is a unique constraint or a primary key.
	KindUnique
	// KindForeignKey is a foreign key, violated from either side.
	KindForeignKey
	// KindNotNull is a column that must have a value.
	KindNotNull
	// KindCheck is a check constraint.
	KindCheck
	// KindExclusion is an exclusion constraint (PostgreSQL).
	KindExclusion
)

var kindNames = [...]string{
	KindOther:      "integrity",
	KindUnique:     "unique",
	KindForeignKey: "foreign key",
	KindNotNull:    "not null",
	KindCheck:      "check",
	KindExclusion:  "exclusion",
}

// String returns the kind in SQL's words, in lower case; "integrity" for
// [KindOther].
func (k Kind) String() string { return nameOf(kindNames[:], int(k)) }

// IntegrityError is a violated constraint, described the same way for all
// databases. Its message holds names only: unlike the drivers' messages it
// never shows a row's values.
type IntegrityError struct {
	// Kind is the kind of constraint.
	Kind Kind
	// Constraint is the name of the constraint or index; empty if the database
	// does not report it (SQLite does so only for checks).
	Constraint string
	// Table is the table, without its schema; empty if not reported.
	Table string
	// Column is the column; several are joined by ", ". Empty if not reported.
	Column string
	// Code is what [Code] returns for the error.
	Code string
	// Err is the error that was read. Its text may hold a row's values.
	Err error
}

// Error returns the violated constraint's kind and names, and the code.
func (e *IntegrityError) Error() string {
	text := "fault: " + e.Kind.String() + " constraint"
	if e.Constraint != "" {
		text += " " + quote(e.Constraint)
	}
	text += " violated"
	if e.Table != "" {
		text += ", table " + quote(e.Table)
	}
	if e.Column != "" {
		text += ", column " + quote(e.Column)
	}
	return text + " (" + e.Code + ")"
}

// Unwrap returns the error that was read.
func (e *IntegrityError) Unwrap() error { return e.Err }

// quote returns name in double quotes.
func quote(name string) string { return `"` + name + `"` }

// Integrity extracts a violated constraint from err, with as much detail as the
// database reports. It returns false if err is something else, and never fails.
func Integrity(err error) (*IntegrityError, bool) {
	if err == nil {
		return nil, false
	}
	x := examine(err, false)
	if x.rank != rankDatabase || x.found.class != ClassIntegrity {
		return nil, false
	}
	e := &IntegrityError{Code: x.code, Err: err}
	e.read(x.source)
	return e, true
}

// read fills in what the database's error tells. An error whose methods panic
// tells nothing more.
func (e *IntegrityError) read(source error) {
	defer quiet()
	s := shapeOf(source)
	switch s.family {
	case familyMySQL:
		e.readMySQL(text(source, s.message))
	case familySQLite:
		e.readSQLite(source.Error())
	default:
		e.Kind = postgresKinds[e.Code]
		e.Constraint = letter(source, s.constraint, 'n')
		e.Table = letter(source, s.table, 't')
		e.Column = letter(source, s.column, 'c')
	}
}

// postgresKinds are the kinds of constraint by SQLSTATE: PostgreSQL
// documentation, appendix A, class 23 and 44.
var postgresKinds = map[string]Kind{
	"23001": KindForeignKey, // restrict_violation
	"23502": KindNotNull,    // not_null_violation
	"23503": KindForeignKey, // foreign_key_violation
	"23505": KindUnique,     // unique_violation
	"23514": KindCheck,      // check_violation
	"23P01": KindExclusion,  // exclusion_violation
	"44000": KindCheck,      // with_check_option_violation
}
