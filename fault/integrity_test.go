package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/testdata/sqlite3"
)

func mysqlMessage(number uint16, message string) error {
	return &MySQLError{Number: number, Message: message}
}

func sqliteMessage(code int, message string) error {
	return sqlite3.Error{Code: sqlite3.ErrNo(code & 0xff), ExtendedCode: sqlite3.ErrNoExtended(code), Text: message}
}

func TestIntegrity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want fault.IntegrityError
	}{
		{
			&pgconn.PgError{Code: "23505", TableName: "users", ConstraintName: "users_email_key", Detail: "Key (email)=(secret) already exists."},
			fault.IntegrityError{Kind: fault.KindUnique, Constraint: "users_email_key", Table: "users", Code: "23505"},
		},
		{
			&pgconn.PgError{Code: "23502", TableName: "users", ColumnName: "email"},
			fault.IntegrityError{Kind: fault.KindNotNull, Table: "users", Column: "email", Code: "23502"},
		},
		{&pgconn.PgError{Code: "23503", TableName: "orders", ConstraintName: "fk"}, fault.IntegrityError{Kind: fault.KindForeignKey, Table: "orders", Constraint: "fk", Code: "23503"}},
		{&pgconn.PgError{Code: "23514", ConstraintName: "k"}, fault.IntegrityError{Kind: fault.KindCheck, Constraint: "k", Code: "23514"}},
		{&pgconn.PgError{Code: "23P01", ConstraintName: "x"}, fault.IntegrityError{Kind: fault.KindExclusion, Constraint: "x", Code: "23P01"}},
		{&pgconn.PgError{Code: "23000"}, fault.IntegrityError{Kind: fault.KindOther, Code: "23000"}},
		{mysqlMessage(1062, "Duplicate entry 'secret' for key 'users.email'"), fault.IntegrityError{Kind: fault.KindUnique, Table: "users", Constraint: "email", Code: "1062"}},
		{mysqlMessage(1062, "Duplicate entry 'secret' for key 'PRIMARY'"), fault.IntegrityError{Kind: fault.KindUnique, Constraint: "PRIMARY", Code: "1062"}},
		{mysqlMessage(1062, "Duplicate entry 'secret' for key 'secret' for key 'k'"), fault.IntegrityError{Kind: fault.KindUnique, Constraint: "k", Code: "1062"}},
		{mysqlMessage(1062, "Doppelter Eintrag 'secret' für Schlüssel 'k'"), fault.IntegrityError{Kind: fault.KindUnique, Code: "1062"}},
		{
			mysqlMessage(1452, "Cannot add or update a child row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `fk_user` FOREIGN KEY (`user_id`, `realm`) REFERENCES `users` (`id`, `realm`))"),
			fault.IntegrityError{Kind: fault.KindForeignKey, Table: "orders", Constraint: "fk_user", Column: "user_id, realm", Code: "1452"},
		},
		{
			mysqlMessage(1451, "Cannot delete or update a parent row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `fk_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`))"),
			fault.IntegrityError{Kind: fault.KindForeignKey, Table: "orders", Constraint: "fk_user", Column: "user_id", Code: "1451"},
		},
		{mysqlMessage(1216, "Cannot add or update a child row: a foreign key constraint fails"), fault.IntegrityError{Kind: fault.KindForeignKey, Code: "1216"}},
		{mysqlMessage(1048, "Column 'email' cannot be null"), fault.IntegrityError{Kind: fault.KindNotNull, Column: "email", Code: "1048"}},
		{mysqlMessage(1364, "Field 'email' doesn't have a default value"), fault.IntegrityError{Kind: fault.KindNotNull, Column: "email", Code: "1364"}},
		{mysqlMessage(3819, "Check constraint 'positive' is violated."), fault.IntegrityError{Kind: fault.KindCheck, Constraint: "positive", Code: "3819"}},
		{mysqlMessage(4025, "CONSTRAINT `positive` failed for `shop`.`orders`"), fault.IntegrityError{Kind: fault.KindCheck, Constraint: "positive", Table: "orders", Code: "4025"}},
		{mysqlMessage(4025, "CONSTRAINT `orders.n` failed for `shop`.`orders`"), fault.IntegrityError{Kind: fault.KindCheck, Constraint: "orders.n", Table: "orders", Code: "4025"}},
		{sqliteMessage(2067, "UNIQUE constraint failed: users.realm, users.email"), fault.IntegrityError{Kind: fault.KindUnique, Table: "users", Column: "realm, email", Code: "2067"}},
		{sqliteMessage(1555, "constraint failed: UNIQUE constraint failed: users.id (1555)"), fault.IntegrityError{Kind: fault.KindUnique, Table: "users", Column: "id", Code: "1555"}},
		{sqliteMessage(2067, "UNIQUE constraint failed: index 'lower_email'"), fault.IntegrityError{Kind: fault.KindUnique, Constraint: "lower_email", Code: "2067"}},
		{sqliteMessage(1299, "NOT NULL constraint failed: users.email"), fault.IntegrityError{Kind: fault.KindNotNull, Table: "users", Column: "email", Code: "1299"}},
		{sqliteMessage(275, "CHECK constraint failed: positive"), fault.IntegrityError{Kind: fault.KindCheck, Constraint: "positive", Code: "275"}},
		{sqliteMessage(787, "FOREIGN KEY constraint failed"), fault.IntegrityError{Kind: fault.KindForeignKey, Code: "787"}},
		{sqliteMessage(19, "NOT NULL constraint failed: users.email"), fault.IntegrityError{Kind: fault.KindNotNull, Table: "users", Column: "email", Code: "19"}},
		{sqliteMessage(1811, "a trigger said no"), fault.IntegrityError{Kind: fault.KindOther, Code: "1811"}},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			t.Parallel()
			wrapped := fmt.Errorf("insert: %w", c.err)
			got, ok := fault.Integrity(wrapped)
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

func TestIntegrityOfOtherErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("odd"), postgres("40001"), mysql(1213), sqlite(5)} {
		if e, ok := fault.Integrity(err); ok || e != nil {
			t.Errorf("%v is read as %v", err, e)
		}
	}
}

func TestIntegrityMessage(t *testing.T) {
	t.Parallel()
	e := &fault.IntegrityError{Kind: fault.KindUnique, Constraint: "users_email_key", Table: "users", Column: "email", Code: "23505"}
	const want = `fault: unique constraint "users_email_key" violated, table "users", column "email" (23505)`
	if e.Error() != want {
		t.Errorf("message is\n%s, want\n%s", e, want)
	}
	e = &fault.IntegrityError{Code: "23000"}
	if e.Error() != "fault: integrity constraint violated (23000)" {
		t.Errorf("message is %q", e)
	}
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
		got, ok := fault.Integrity(mysqlMessage(1062, "Duplicate entry '"+value+"' for key '"+key+"'"))
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
	e, ok := fault.Integrity(err)
	if !ok {
		t.Fatalf("%v is no integrity error", err)
	}
	if !strings.Contains(message, e.Table) || !strings.Contains(message, e.Constraint) {
		t.Errorf("%+v does not stand in %q", e, message)
	}
}
