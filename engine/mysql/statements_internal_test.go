package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// forgetful is a connection whose server forgets or refuses statements, which a
// real one does only for a proxy in between or at its limits.
type forgetful struct {
	rawConn
	open    map[string]bool
	limit   int
	refused error
}

func (f *forgetful) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	if f.refused != nil {
		return nil, f.refused
	}
	if len(f.open) >= f.limit {
		return nil, &mysqldriver.MySQLError{Number: tooManyPrepared}
	}
	f.open[query] = true
	return &forgottenStmt{conn: f, text: query}, nil
}

type forgottenStmt struct {
	rawStmt
	conn *forgetful
	text string
}

func (s *forgottenStmt) Close() error {
	delete(s.conn.open, s.text)
	return nil
}

// run uses the statement of a text, whose fate the server's error tells.
func run(s *statements, c rawConn, text string, fates ...error) (uses int, err error) {
	err = s.with(context.Background(), c, text, func(rawStmt) error {
		uses++
		if uses <= len(fates) {
			return fates[uses-1]
		}
		return nil
	})
	return uses, err
}

func TestAForgottenStatementIsPreparedAgain(t *testing.T) {
	t.Parallel()
	c := &forgetful{open: map[string]bool{}, limit: 10}
	s := newStatements(3)
	forgotten := &mysqldriver.MySQLError{Number: unknownStatement}
	if uses, err := run(s, c, "a", forgotten); uses != 1 || !errors.Is(err, forgotten) {
		t.Errorf("a new statement that is not known: %d uses, %v", uses, err)
	}
	if uses, err := run(s, c, "a", forgotten); uses != 2 || err != nil {
		t.Errorf("a statement that was forgotten: %d uses, %v", uses, err)
	}
	// Once is enough: a second time is no accident.
	if uses, err := run(s, c, "a", forgotten, forgotten); uses != 2 || !errors.Is(err, forgotten) {
		t.Errorf("a statement that is forgotten again: %d uses, %v", uses, err)
	}
	other := &mysqldriver.MySQLError{Number: 1062}
	if uses, err := run(s, c, "a", other); uses != 1 || !errors.Is(err, other) {
		t.Errorf("another error: %d uses, %v", uses, err)
	}
}

func TestTheStatementUsedLeastRecentlyGivesWay(t *testing.T) {
	t.Parallel()
	c := &forgetful{open: map[string]bool{}, limit: 10}
	s := newStatements(2)
	for _, text := range []string{"a", "b", "a", "c"} {
		if _, err := run(s, c, text); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(c.open); got != "map[a:true c:true]" {
		t.Errorf("open are %s", got)
	}
}

func TestAServerFullOfStatementsGetsRoom(t *testing.T) {
	t.Parallel()
	c := &forgetful{open: map[string]bool{}, limit: 2}
	s := newStatements(5)
	for _, text := range []string{"a", "b", "c"} {
		if _, err := run(s, c, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if got := fmt.Sprint(c.open); got != "map[c:true]" {
		t.Errorf("open are %s", got)
	}
	c.refused = errors.New("no")
	if _, err := run(s, c, "d"); !errors.Is(err, c.refused) {
		t.Errorf("a statement that is refused: %v", err)
	}
}
