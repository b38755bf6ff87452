package integrity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/fault/testdata/sqlite3"
)

// MySQLError has the name and the fields of go-sql-driver's, and of those of its
// forks.
type MySQLError struct {
	Number   uint16
	SQLState [5]byte
	Message  string
}

func (e *MySQLError) Error() string { return e.Message }

func mysqlMessage(number uint16, message string) error {
	return &MySQLError{Number: number, Message: message}
}

func sqliteMessage(code int, message string) error {
	return sqlite3.Error{Code: sqlite3.ErrNo(code & 0xff), ExtendedCode: sqlite3.ErrNoExtended(code), Text: message}
}

func TestViolationsAreRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want integrity.Error
	}{
		{
			&pgconn.PgError{Code: "23505", TableName: "users", ConstraintName: "users_email_key", Detail: "Key (email)=(secret) already exists."},
			integrity.Error{Kind: integrity.Unique, Constraint: "users_email_key", Table: "users", Code: "23505"},
		},
		{
			&pgconn.PgError{Code: "23502", TableName: "users", ColumnName: "email"},
			integrity.Error{Kind: integrity.NotNull, Table: "users", Column: "email", Code: "23502"},
		},
		{&pgconn.PgError{Code: "23503", TableName: "orders", ConstraintName: "fk"}, integrity.Error{Kind: integrity.ForeignKey, Table: "orders", Constraint: "fk", Code: "23503"}},
		{&pgconn.PgError{Code: "23514", ConstraintName: "k"}, integrity.Error{Kind: integrity.Check, Constraint: "k", Code: "23514"}},
		{&pgconn.PgError{Code: "23P01", ConstraintName: "x"}, integrity.Error{Kind: integrity.Exclusion, Constraint: "x", Code: "23P01"}},
		{&pgconn.PgError{Code: "23000"}, integrity.Error{Kind: integrity.Other, Code: "23000"}},
		{mysqlMessage(1062, "Duplicate entry 'secret' for key 'users.email'"), integrity.Error{Kind: integrity.Unique, Table: "users", Constraint: "email", Code: "1062"}},
		{mysqlMessage(1062, "Duplicate entry 'secret' for key 'PRIMARY'"), integrity.Error{Kind: integrity.Unique, Constraint: "PRIMARY", Code: "1062"}},
		{mysqlMessage(1062, "Duplicate entry 'secret' for key 'secret' for key 'k'"), integrity.Error{Kind: integrity.Unique, Constraint: "k", Code: "1062"}},
		{mysqlMessage(1062, "Doppelter Eintrag 'secret' für Schlüssel 'k'"), integrity.Error{Kind: integrity.Unique, Code: "1062"}},
		{
			mysqlMessage(1452, "Cannot add or update a child row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `fk_user` FOREIGN KEY (`user_id`, `realm`) REFERENCES `users` (`id`, `realm`))"),
			integrity.Error{Kind: integrity.ForeignKey, Table: "orders", Constraint: "fk_user", Column: "user_id, realm", Code: "1452"},
		},
		{
			mysqlMessage(1451, "Cannot delete or update a parent row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `fk_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`))"),
			integrity.Error{Kind: integrity.ForeignKey, Table: "orders", Constraint: "fk_user", Column: "user_id", Code: "1451"},
		},
		{mysqlMessage(1216, "Cannot add or update a child row: a foreign key constraint fails"), integrity.Error{Kind: integrity.ForeignKey, Code: "1216"}},
		{mysqlMessage(1048, "Column 'email' cannot be null"), integrity.Error{Kind: integrity.NotNull, Column: "email", Code: "1048"}},
		{mysqlMessage(1364, "Field 'email' doesn't have a default value"), integrity.Error{Kind: integrity.NotNull, Column: "email", Code: "1364"}},
		{mysqlMessage(3819, "Check constraint 'positive' is violated."), integrity.Error{Kind: integrity.Check, Constraint: "positive", Code: "3819"}},
		{mysqlMessage(4025, "CONSTRAINT `positive` failed for `shop`.`orders`"), integrity.Error{Kind: integrity.Check, Constraint: "positive", Table: "orders", Code: "4025"}},
		{mysqlMessage(4025, "CONSTRAINT `orders.n` failed for `shop`.`orders`"), integrity.Error{Kind: integrity.Check, Constraint: "orders.n", Table: "orders", Code: "4025"}},
		{sqliteMessage(2067, "UNIQUE constraint failed: users.realm, users.email"), integrity.Error{Kind: integrity.Unique, Table: "users", Column: "realm, email", Code: "2067"}},
		{sqliteMessage(1555, "constraint failed: UNIQUE constraint failed: users.id (1555)"), integrity.Error{Kind: integrity.Unique, Table: "users", Column: "id", Code: "1555"}},
		{sqliteMessage(2067, "UNIQUE constraint failed: index 'lower_email'"), integrity.Error{Kind: integrity.Unique, Constraint: "lower_email", Code: "2067"}},
		{sqliteMessage(1299, "NOT NULL constraint failed: users.email"), integrity.Error{Kind: integrity.NotNull, Table: "users", Column: "email", Code: "1299"}},
		{sqliteMessage(275, "CHECK constraint failed: positive"), integrity.Error{Kind: integrity.Check, Constraint: "positive", Code: "275"}},
		{sqliteMessage(787, "FOREIGN KEY constraint failed"), integrity.Error{Kind: integrity.ForeignKey, Code: "787"}},
		{sqliteMessage(19, "NOT NULL constraint failed: users.email"), integrity.Error{Kind: integrity.NotNull, Table: "users", Column: "email", Code: "19"}},
		{sqliteMessage(1811, "a trigger said no"), integrity.Error{Kind: integrity.Other, Code: "1811"}},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			t.Parallel()
			wrapped := fmt.Errorf("insert: %w", c.err)
			got, ok := integrity.Of(wrapped)
			if !ok {
				t.Fatal("not recognised")
			}
			if !errors.Is(got, wrapped) {
				t.Error("does not unwrap to the error that was read")
			}
			if strings.Contains(got.Error(), "secret") {
				t.Errorf("message %q shows a row's value", got)
			}
			got.Err = nil
			if *got != c.want {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
		})
	}
}

func TestOtherErrorsAreNone(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("odd"), &pgconn.PgError{Code: "40001"}, mysqlMessage(1213, ""), sqliteMessage(5, "")} {
		if e, ok := integrity.Of(err); ok || e != nil {
			t.Errorf("%v is read as %v", err, e)
		}
	}
}

func TestTheMessageHasNamesOnly(t *testing.T) {
	t.Parallel()
	e := &integrity.Error{Kind: integrity.Unique, Constraint: "users_email_key", Table: "users", Column: "email", Code: "23505"}
	const want = `fault: unique constraint "users_email_key" violated, table "users", column "email" (23505)`
	if e.Error() != want {
		t.Errorf("message is\n%s, want\n%s", e, want)
	}
	e = &integrity.Error{Code: "23000"}
	if e.Error() != "fault: integrity constraint violated (23000)" {
		t.Errorf("message is %q", e)
	}
}

// panicking is an error whose Unwrap can't be called.
type panicking struct{ error }

func (panicking) Unwrap() error { panic("no") }

// endless unwraps to itself.
type endless struct{ error }

func (e endless) Unwrap() []error { return []error{nil, e.error, e} }

func TestTheDatabasesErrorIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	violated := &pgconn.PgError{Code: "23505", ConstraintName: "k"}
	for name, err := range map[string]error{
		"joined":               errors.Join(errors.New("other"), fmt.Errorf("insert: %w", violated)),
		"of a lost connection": &fault.ConnLostError{Err: violated},
		"beside a loop":        endless{violated},
		"read before":          must(integrity.Of(violated)),
	} {
		if e, ok := integrity.Of(err); !ok || e.Kind != integrity.Unique || e.Constraint != "k" {
			t.Errorf("%s: %+v, %t", name, e, ok)
		}
	}
	if e, ok := integrity.Of(panicking{violated}); ok {
		t.Errorf("an error that can't be unwrapped was read as %+v", e)
	}
}

func must(e *integrity.Error, ok bool) error {
	if !ok {
		panic("not read")
	}
	return e
}

// FuzzDuplicateEntry puts any value and any key where MySQL puts them: the
// key comes out, and nothing of the value does.
func FuzzDuplicateEntry(f *testing.F) {
	f.Add("secret", "users.email")
	f.Add("a' for key 'b", "PRIMARY")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, value, key string) {
		if strings.ContainsAny(key, "'.") {
			t.Skip("no name of an index")
		}
		got, ok := integrity.Of(mysqlMessage(1062, "Duplicate entry '"+value+"' for key '"+key+"'"))
		if !ok || got.Constraint != key || got.Table != "" || got.Column != "" {
			t.Errorf("got %+v for key %q", got, key)
		}
	})
}

// FuzzMessages reads any text as any integrity error: nothing breaks, and what
// is read stands in the text.
func FuzzMessages(f *testing.F) {
	f.Add("UNIQUE constraint failed: t.a, t.b")
	f.Add("a foreign key constraint fails (`d`.`t`, CONSTRAINT `k` FOREIGN KEY (`c`) REFERENCES `u` (`i`))")
	f.Add("CONSTRAINT `k` failed for `d`.`t`")
	f.Add("CHECK constraint failed: index '")
	f.Fuzz(func(t *testing.T, message string) {
		for _, number := range []uint16{1048, 1062, 1452, 1586, 3819, 4025} {
			read(t, mysqlMessage(number, message), message)
		}
		for _, code := range []int{19, 275, 1299, 2067} {
			read(t, sqliteMessage(code, message), message)
		}
	})
}

func read(t *testing.T, err error, message string) {
	t.Helper()
	e, ok := integrity.Of(err)
	if !ok {
		t.Fatalf("%v is no integrity error", err)
	}
	if !strings.Contains(message, e.Table) || !strings.Contains(message, e.Constraint) {
		t.Errorf("%+v does not stand in %q", e, message)
	}
}
