package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/internal/stmtcache"
)

// connector opens connections that cache prepared statements and can stop
// streams.
type connector struct {
	base   driver.Connector
	target sp.Target                 // without a host if there are several
	found  atomic.Pointer[sp.System] // the kind of server, once it is known
	cached int                       // how many statements a connection keeps
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	raw, server, err := c.reach(ctx, "")
	if err != nil {
		return nil, err
	}
	full, ok := raw.(rawConn)
	if !ok {
		_ = raw.Close()
		return nil, fmt.Errorf("engine: connect: %T lacks an interface that go-sql-driver/mysql has", raw)
	}
	made := &conn{rawConn: full, connector: c, server: server}
	if err := made.learnID(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	if c.cached > 0 {
		made.stmts = stmtcache.New(c.cached, stmtErrors)
	}
	return made, nil
}

// Driver implements [driver.Connector]. It returns go-sql-driver's, so that the
// driver is recognised.
func (c *connector) Driver() driver.Driver { return c.base.Driver() }

// rawConn is what go-sql-driver's connection implements.
type rawConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// conn is a connection. It is used by one goroutine at a time.
type conn struct {
	rawConn
	connector *connector
	server    string           // the address that was dialled, if there are several
	stmts     *stmtcache.Cache // nil if none are kept
	id        uint64           // the server's number of the connection; 0 until it is asked for
	spent     bool             // a stream was cut off
}

// Raw returns go-sql-driver's connection, for package sqldb.
func (c *conn) Raw() driver.Conn { return c.rawConn }

// IsValid implements [driver.Validator].
func (c *conn) IsValid() bool { return !c.spent && c.rawConn.IsValid() }

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	res, err := c.exec(ctx, query, args)
	c.stopServer(ctx, err)
	return res, err
}

func (c *conn) exec(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 || c.stmts == nil {
		return c.rawConn.ExecContext(ctx, query, args)
	}
	return c.stmts.Exec(ctx, c.rawConn, query, args)
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.query(ctx, query, args)
	c.stopServer(ctx, err)
	how, streamed := ctx.Value(streamKey{}).(stopping)
	if err != nil || !streamed {
		return rows, err
	}
	full, ok := rows.(rawRows)
	if !ok {
		return rows, nil
	}
	return &stream{rawRows: full, conn: c, how: how}, nil
}

func (c *conn) query(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 || c.stmts == nil {
		return c.rawConn.QueryContext(ctx, query, args)
	}
	return c.stmts.Query(ctx, c.rawConn, query, args)
}
