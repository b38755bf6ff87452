package dbtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// patience is how long a server may take to start, stop, or make a
	// database. It is generous: machines of CI stall.
	patience = 90 * time.Second
	// databasePrefix starts the name of every database that the package makes.
	databasePrefix = "dbt"
)

// Server is a database server that tests share. It is safe for concurrent use.
type Server struct {
	flavor flavor
	// admin is the superuser in the maintenance database.
	admin Database
	// app is the user of the databases that tests get.
	app login
	// doomed is set if the server ends with the test: databases need not be
	// dropped, and the server may be down by then.
	doomed bool
}

// Kind returns the server's kind.
func (s *Server) Kind() Kind { return s.flavor.kind() }

// Admin returns the maintenance database as seen by the superuser. What a test
// changes through it, it changes for all.
func (s *Server) Admin() Database { return s.admin }

// Database makes an empty database for t and drops it when t ends, connected
// clients notwithstanding. It fails t if the server can't.
func (s *Server) Database(t testing.TB) Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	db, err := s.create(ctx, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	if s.doomed {
		return db
	}
	t.Cleanup(func() {
		if err := s.remove(db); err != nil {
			t.Error(err)
		}
	})
	return db
}

// create makes an empty database whose name tells what it is for.
func (s *Server) create(ctx context.Context, purpose string) (Database, error) {
	db := s.admin
	db.Name, db.User, db.Password = databaseName(purpose), s.app.user, s.app.password
	_, err := s.admin.Query(ctx, s.flavor.create(db.Name, db.User))
	return db, err
}

// remove drops a database, in use or not.
func (s *Server) remove(db Database) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.admin.Query(ctx, s.flavor.drop(db.Name))
	return err
}

// counter makes the names of databases differ within a process, epoch among
// processes that use one external server.
var (
	counter atomic.Uint64
	epoch   = sync.OnceValue(func() string { return secret(4) })
)

// databaseName returns a new name that tells which test or purpose it is for. The
// shortest limit is PostgreSQL's, 63 bytes.
func databaseName(test string) string {
	const most = 30
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, strings.TrimPrefix(test, "Test"))
	return fmt.Sprintf("%s_%s_%d_%s", databasePrefix, epoch(), counter.Add(1), plain[:min(len(plain), most)])
}
