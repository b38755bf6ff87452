package stmtcache_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine/internal/stmtcache"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

var (
	errForgotten = errors.New("unknown statement")
	errFull      = errors.New("too many statements")
)

var stmtErrors = stmtcache.Errors{
	Forgotten: func(err error) bool { return errors.Is(err, errForgotten) },
	Full:      func(err error) bool { return errors.Is(err, errFull) },
}

// server is a connection whose server forgets or refuses statements, which a
// real one does only for a proxy in between or at its limits.
type server struct {
	open    map[string]bool
	limit   int
	refused error
	fates   []error // of the next uses
	uses    int
}

func (s *server) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	if s.refused != nil {
		return nil, s.refused
	}
	if len(s.open) >= s.limit {
		return nil, errFull
	}
	s.open[query] = true
	return &stmt{server: s, text: query}, nil
}

type stmt struct {
	driver.Stmt
	server *server
	text   string
}

func (s *stmt) Close() error {
	delete(s.server.open, s.text)
	return nil
}

func (s *stmt) use() error {
	n := s.server.uses
	s.server.uses++
	if n < len(s.server.fates) {
		return s.server.fates[n]
	}
	return nil
}

func (s *stmt) ExecContext(context.Context, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), s.use()
}

func (s *stmt) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	return nil, s.use()
}

// run uses the statement of a text by turns in both ways, and returns how often
// it was used.
func (s *server) run(c *stmtcache.Cache, text string, fates ...error) (uses int, err error) {
	s.fates, s.uses = fates, 0
	if len(text)%2 == 0 {
		_, err = c.Exec(context.Background(), s, text, nil)
	} else {
		_, err = c.Query(context.Background(), s, text, nil)
	}
	return s.uses, err
}

func TestAForgottenStatementIsPreparedAgain(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a", "bb"} {
		s := &server{open: map[string]bool{}, limit: 10}
		c := stmtcache.New(3, stmtErrors)
		if uses, err := s.run(c, text, errForgotten); uses != 1 || !errors.Is(err, errForgotten) {
			t.Errorf("a new statement that is not known: %d uses, %v", uses, err)
		}
		if uses, err := s.run(c, text, errForgotten); uses != 2 || err != nil {
			t.Errorf("a statement that was forgotten: %d uses, %v", uses, err)
		}
		// Once is enough: a second time is no accident.
		if uses, err := s.run(c, text, errForgotten, errForgotten); uses != 2 || !errors.Is(err, errForgotten) {
			t.Errorf("a statement that is forgotten again: %d uses, %v", uses, err)
		}
		other := errors.New("other")
		if uses, err := s.run(c, text, other); uses != 1 || !errors.Is(err, other) {
			t.Errorf("another error: %d uses, %v", uses, err)
		}
	}
}

func TestTheStatementUsedLeastRecentlyGivesWay(t *testing.T) {
	t.Parallel()
	s := &server{open: map[string]bool{}, limit: 10}
	c := stmtcache.New(2, stmtcache.Errors{})
	for _, text := range []string{"a", "b", "a", "c"} {
		if _, err := s.run(c, text); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(s.open); got != "map[a:true c:true]" {
		t.Errorf("open are %s", got)
	}
	c.Close()
	if len(s.open) != 0 {
		t.Errorf("open after all were closed are %v", s.open)
	}
}

func TestAServerFullOfStatementsGetsRoom(t *testing.T) {
	t.Parallel()
	s := &server{open: map[string]bool{}, limit: 2}
	c := stmtcache.New(5, stmtErrors)
	for _, text := range []string{"a", "b", "c"} {
		if _, err := s.run(c, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if got := fmt.Sprint(s.open); got != "map[c:true]" {
		t.Errorf("open are %s", got)
	}
	s.refused = errors.New("no")
	if _, err := s.run(c, "d"); !errors.Is(err, s.refused) {
		t.Errorf("a statement that is refused: %v", err)
	}
}

func TestAKnownStatementAllocatesNothing(t *testing.T) {
	s := &server{open: map[string]bool{}, limit: 10}
	c := stmtcache.New(5, stmtErrors)
	if n := alloctest.PerRun(100, func() {
		if _, err := c.Query(context.Background(), s, "a", nil); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
