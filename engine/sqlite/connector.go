package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"modernc.org/sqlite"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/internal/stmtcache"
)

// connector opens connections that cache prepared statements.
type connector struct {
	dsn    string
	target sp.Target
	path   string // of the file, or :memory:
	cached int    // how many statements a connection keeps; 0 is none
}

// Target names the file, for package sqldb.
func (c *connector) Target() sp.Target { return c.target }

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver { return registered() }

// registered returns the driver that is registered with database/sql, to which
// functions, collations and hooks of modernc's package apply. Its NewConnector,
// added in 1.57, is not needed for that.
var registered = sync.OnceValue(func() driver.Driver {
	db, err := sql.Open("sqlite", "")
	if err != nil {
		return &sqlite.Driver{}
	}
	defer db.Close()
	return db.Driver()
})

// Connect implements [driver.Connector]. The driver opens a file at once or not
// at all, so ctx is only checked beforehand.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	raw, err := registered().Open(c.dsn)
	if err != nil {
		return nil, c.lookedFor(err)
	}
	if c.cached == 0 {
		return raw, nil
	}
	full, ok := raw.(rawConn)
	if !ok {
		_ = raw.Close()
		return nil, fmt.Errorf("engine: connect: %T lacks an interface that modernc.org/sqlite has", raw)
	}
	return &sqliteConn{rawConn: full, stmts: stmtcache.New(c.cached, stmtcache.Errors{})}, nil
}

// cantOpen is SQLITE_CANTOPEN.
const cantOpen = 14

// lookedFor adds to the error of a file that can't be opened the place that a
// relative path led to: such a path is easily mistaken for an absolute one.
func (c *connector) lookedFor(err error) error {
	refused, ok := errors.AsType[*sqlite.Error](err)
	if !ok || refused.Code() != cantOpen || filepath.IsAbs(c.path) || c.path == memory {
		return err
	}
	file, aerr := filepath.Abs(c.path)
	if aerr != nil {
		return err
	}
	return fmt.Errorf("%q, a relative path (an absolute one has four slashes, sqlite:////%s): %w", file, c.path, err)
}

// rawConn is what the driver's connection implements.
type rawConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteConn is a connection. It is used by one goroutine at a time.
type sqliteConn struct {
	rawConn
	stmts *stmtcache.Cache
}

// Raw returns the driver's connection.
func (c *sqliteConn) Raw() driver.Conn { return c.rawConn }

// Close implements [driver.Conn]. SQLite keeps a file open as long as a
// statement is open.
func (c *sqliteConn) Close() error {
	c.stmts.Close()
	return c.rawConn.Close()
}

// ExecContext implements [driver.ExecerContext].
func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !keepable(query) {
		return c.rawConn.ExecContext(ctx, query, args)
	}
	return c.stmts.Exec(ctx, c.rawConn, query, args)
}

// QueryContext implements [driver.QueryerContext].
func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !keepable(query) {
		return c.rawConn.QueryContext(ctx, query, args)
	}
	return c.stmts.Query(ctx, c.rawConn, query, args)
}

// keepable reports whether a statement can be prepared now and run later. A
// PRAGMA may take effect when it is prepared.
func keepable(query string) bool {
	for _, verb := range [...]string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "REPLACE", "VALUES"} {
		if len(query) > len(verb) && strings.EqualFold(query[:len(verb)], verb) {
			return true
		}
	}
	return false
}
