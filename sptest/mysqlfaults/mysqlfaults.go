package mysqlfaults

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionproxy/sessionproxy/internal/mysqlscript"
	"github.com/sessionproxy/sessionproxy/sptest"
)

// New returns the errors that MySQL shows. It fails the test if one of them can't be
// provoked. There is no Serialization: InnoDB reports conflicts as deadlocks.
func New(t testing.TB) sptest.Errors {
	t.Helper()
	e := NewMariaDB(t)
	e.Serialization = nil
	return e
}

// NewMariaDB returns the errors that MariaDB shows, whose snapshots can conflict
// (innodb_snapshot_isolation).
func NewMariaDB(t testing.TB) sptest.Errors {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if provoked == nil {
		e, err := provoke(t)
		if err != nil {
			t.Fatal(err)
		}
		provoked = &e
	}
	return *provoked
}

var (
	mu       sync.Mutex
	provoked *sptest.Errors
)

// answers are what the server says to a statement of that text.
var answers = map[string]mysqlscript.Reply{
	"UPDATE serialization": {Code: 1020, Message: "Record has changed since last read in table 'counter'"},
	"UPDATE deadlock":      {Code: 1213, State: "40001", Message: "Deadlock found when trying to get lock; try restarting transaction"},
	"UPDATE lock":          {Code: 1205, Message: "Lock wait timeout exceeded; try restarting transaction"},
	"UPDATE unique":        {Code: 1062, State: "23000", Message: "Duplicate entry for key 'sptest_key'"},
	"UPDATE readonly":      {Code: 1290, Message: "The MySQL server is running with the --read-only option so it cannot execute this statement"},
	"UPDATE full":          {Code: 1114, Message: "The table 'counter' is full"},
	"UPDATE after":         {HangUp: true},
}

func provoke(t testing.TB) (sptest.Errors, error) {
	// The driver says so if not a byte could be written.
	e := sptest.Errors{Driver: "go-sql-driver/mysql", LostBefore: driver.ErrBadConn}
	server := mysqlscript.Start(t, func(_ *mysqlscript.Session, text string) mysqlscript.Reply { return answers[text] })
	for text, into := range map[string]*error{
		"UPDATE serialization": &e.Serialization,
		"UPDATE deadlock":      &e.Deadlock,
		"UPDATE lock":          &e.LockTimeout,
		"UPDATE unique":        &e.UniqueViolation,
		"UPDATE readonly":      &e.ReadOnly,
		"UPDATE full":          &e.Full,
		"UPDATE after":         &e.LostAfter,
	} {
		if *into = ask(server.DSN(), text); *into == nil {
			return e, fmt.Errorf("mysqlfaults: the driver returned no error for %q", text)
		}
	}
	server.Refuse(mysqlscript.Reply{Code: 1040, State: "08004", Message: "Too many connections"})
	e.TooManyConnections = ask(server.DSN(), "SELECT 1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return e, fmt.Errorf("mysqlfaults: %w", err)
	}
	closed := l.Addr().String()
	_ = l.Close() // from now on nobody listens there
	e.Refused = ask("app@tcp("+closed+")/script", "SELECT 1")
	if e.TooManyConnections == nil || e.Refused == nil {
		return e, fmt.Errorf("mysqlfaults: a connection was made that should have been refused")
	}
	return e, nil
}

// silence keeps the driver from logging what is done to it here.
type silence struct{}

// Print prints nothing.
func (silence) Print(...any) {}

// ask runs a statement without database/sql, which would send it again.
func ask(dsn, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return fmt.Errorf("mysqlfaults: %w", err)
	}
	config.Logger = silence{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return fmt.Errorf("mysqlfaults: %w", err)
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.(driver.ExecerContext).ExecContext(ctx, text, nil)
	return err
}
