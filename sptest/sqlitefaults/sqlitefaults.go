package sqlitefaults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/sptest"
)

// ErrLost is a double for the loss of a connection, which SQLite does not have:
// package fault judges it like the error of a server's driver.
var ErrLost error = &fault.ConnLostError{Err: errors.New("sqlitefaults: the connection is lost (a double: SQLite has none)")}

// New returns the errors of modernc.org/sqlite. It fails the test if one of them
// can't be provoked.
//
// Serialization is SQLITE_BUSY_SNAPSHOT, LockTimeout SQLITE_BUSY, Full SQLITE_FULL,
// ReadOnly SQLITE_READONLY, and Refused SQLITE_CANTOPEN. There is no Deadlock, which
// SQLite reports as SQLITE_BUSY, and no TooManyConnections.
func New(t testing.TB) sptest.Errors {
	t.Helper()
	e, err := provoked()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var provoked = sync.OnceValues(func() (sptest.Errors, error) {
	e := sptest.Errors{Driver: "modernc.org/sqlite", LostBefore: ErrLost, LostAfter: ErrLost}
	folder, err := os.MkdirTemp("", "sqlitefaults-")
	if err != nil {
		return e, fmt.Errorf("sqlitefaults: %w", err)
	}
	defer os.RemoveAll(folder)
	for _, p := range []struct {
		into    *error
		code    string
		provoke func(s *scratch) error
	}{
		{&e.Serialization, "517", (*scratch).staleSnapshot},
		{&e.LockTimeout, "5", (*scratch).locked},
		{&e.UniqueViolation, "2067", (*scratch).duplicate},
		{&e.ReadOnly, "8", (*scratch).readOnly},
		{&e.Full, "13", (*scratch).full},
		{&e.Refused, "14", (*scratch).noFolder},
	} {
		s, err := newScratch(folder, p.code)
		if err != nil {
			return e, err
		}
		*p.into = p.provoke(s)
		s.close()
		if code := fault.Code(*p.into); code != p.code {
			return e, fmt.Errorf("sqlitefaults: SQLite answered with code %q, want %s: %w", code, p.code, *p.into)
		}
	}
	return e, nil
})

// scratch is two connections to a database.
type scratch struct {
	dsn    string
	db     *sql.DB
	mine   *sql.Conn
	theirs *sql.Conn
}

func newScratch(folder, name string) (*scratch, error) {
	s := &scratch{dsn: "file:" + filepath.ToSlash(filepath.Join(folder, name+".db"))}
	var err error
	if s.db, err = sql.Open("sqlite", s.dsn+"?_pragma=journal_mode(WAL)"); err != nil {
		return nil, fmt.Errorf("sqlitefaults: %w", err)
	}
	s.mine, err = s.db.Conn(context.Background())
	if err == nil {
		s.theirs, err = s.db.Conn(context.Background())
	}
	if err == nil {
		err = s.run(s.mine, "CREATE TABLE counter (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER)", "INSERT INTO counter VALUES (1, 'one', 0)")
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("sqlitefaults: %w", err)
	}
	return s, nil
}

func (s *scratch) close() {
	for _, c := range []*sql.Conn{s.mine, s.theirs} {
		if c != nil {
			_ = s.run(c, "ROLLBACK")
			_ = c.Close()
		}
	}
	_ = s.db.Close()
}

// run runs statements, up to the first that fails.
func (s *scratch) run(c *sql.Conn, texts ...string) error {
	for _, text := range texts {
		if _, err := c.ExecContext(context.Background(), text); err != nil {
			return err
		}
	}
	return nil
}

const count = "UPDATE counter SET n = n + 1"

// staleSnapshot writes after another connection has, on what was read before.
func (s *scratch) staleSnapshot() error {
	if err := s.run(s.mine, "BEGIN"); err != nil {
		return err
	}
	var n int
	if err := s.mine.QueryRowContext(context.Background(), "SELECT n FROM counter").Scan(&n); err != nil {
		return err
	}
	if err := s.run(s.theirs, count); err != nil {
		return err
	}
	return s.run(s.mine, count)
}

// locked writes while another connection is about to.
func (s *scratch) locked() error {
	if err := s.run(s.theirs, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	return s.run(s.mine, count)
}

func (s *scratch) duplicate() error {
	return s.run(s.mine, "INSERT INTO counter VALUES (2, 'one', 0)")
}

func (s *scratch) readOnly() error { return s.run(s.mine, "PRAGMA query_only = 1", count) }

func (s *scratch) full() error {
	return s.run(s.mine, "PRAGMA max_page_count = 1", "CREATE TABLE filler (x BLOB)", "INSERT INTO filler VALUES (zeroblob(1000000))")
}

// noFolder opens a database whose folder is not there.
func (s *scratch) noFolder() error {
	db, err := sql.Open("sqlite", strings.TrimSuffix(s.dsn, ".db")+"/none/none.db")
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(context.Background())
}
