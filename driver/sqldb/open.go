package sqldb

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

// Open opens a database like [sql.Open], with every operation passed through
// chain. driverName is the name of a registered driver, dsn a data source name
// for it. Open does not connect. An unknown driver, a malformed dsn and a bad
// option are errors; no error contains the password of dsn.
//
// The *sql.DB is used and closed like any other.
func Open(driverName, dsn string, chain sp.Chain, opts ...Option) (*sql.DB, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(sql.Drivers(), driverName) {
		return nil, fmt.Errorf("sqldb: open: unknown driver %q: import its package; registered are %s",
			driverName, registered())
	}
	d, err := driverOf(driverName, dsn)
	if err != nil {
		return nil, err
	}
	c, err := newConnector(driverName, d, dsn, chain, cfg)
	if err != nil {
		return nil, err
	}
	return open(c), nil
}

// driverOf returns the driver that is registered under a name. database/sql
// gives it away with a database only, which is not opened.
func driverOf(driverName, dsn string) (driver.Driver, error) {
	probe, err := sql.Open(driverName, "") // what every driver takes that is known
	if err != nil {
		probe, err = openUnopened(driverName, dsn)
	}
	if err == nil {
		_ = probe.Close() // nothing was opened
		return probe.Driver(), nil
	}
	name, ambiguous := dbname.Parse(driverName, nil, dsn)
	if ambiguous != nil {
		return nil, refused(driverName, name, ambiguous, true)
	}
	return nil, refused(driverName, name, err, false)
}

// openUnopened is [sql.Open] of a driver that may panic at a name, as pgdriver
// does at a user without a name. What it says then may quote anything.
func openUnopened(driverName, dsn string) (db *sql.DB, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the driver panics at the data source name")
		}
	}()
	return sql.Open(driverName, dsn)
}

// refused returns the error of a data source name that was not taken.
func refused(driverName string, name dbname.Name, err error, ours bool) error {
	tried := "sqldb: open with driver " + driverName
	if ours {
		return fmt.Errorf("%s: %w", tried, err)
	}
	return name.Refused(tried, err)
}

func registered() string {
	if names := sql.Drivers(); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "none"
}

// newConnector makes a connector for one data source name of a driver.
func newConnector(driverName string, d driver.Driver, dsn string, chain sp.Chain, cfg config) (*connector, error) {
	name, err := dbname.Parse(driverName, d, dsn)
	if err != nil {
		return nil, refused(driverName, name, err, true)
	}
	var parent driver.Connector = dsnConnector{dsn: dsn, driver: d}
	if dc, ok := d.(driver.DriverContext); ok {
		if parent, err = dc.OpenConnector(dsn); err != nil {
			return nil, refused(driverName, name, err, false)
		}
	}
	return wrap(parent, d, name, chain, cfg), nil
}

// wrap makes a connector of the driver's.
func wrap(parent driver.Connector, d driver.Driver, name dbname.Name, chain sp.Chain, cfg config) *connector {
	c := &connector{parent: parent, mask: name}
	if cfg.target == nil {
		t := name.Target.Apart()
		cfg.target, c.name = &t, &c.mask
	}
	c.pipeline = newPipeline(chain, d, cfg)
	return c
}

// OpenDB opens a database like [sql.OpenDB], with every operation of c's
// connections passed through chain. The target is read from the connectors of
// go-sql-driver/mysql, pgx, lib/pq, bun's pgdriver and modernc.org/sqlite, from
// connectors that wrap one of these in a field, and from any with a method
// Target() sessionproxy.Target; if that target has no host, the same method of
// its connections says which one they reached. For any other connector at most
// the system is known, from the driver's type: use [WithTarget]. A bad option
// makes every use of the database fail with an error that names it.
func OpenDB(c driver.Connector, chain sp.Chain, opts ...Option) *sql.DB {
	cfg, err := newConfig(opts)
	if err != nil {
		return sql.OpenDB(failing{err: err, driver: c.Driver()})
	}
	return open(wrap(c, c.Driver(), dbname.Of(c), chain, cfg))
}

// Register makes a driver available under name, for [sql.Open], that passes
// every operation of d through chain. Like [sql.Register] it panics if the
// name is taken. A bad option makes opening fail with an error that names it.
func Register(name string, d driver.Driver, chain sp.Chain, opts ...Option) {
	sql.Register(name, registeredDriver{name: name, driver: d, chain: chain, opts: opts})
}

// registeredDriver is a driver made by Register.
type registeredDriver struct {
	name   string
	driver driver.Driver
	chain  sp.Chain
	opts   []Option
}

func (r registeredDriver) Open(dsn string) (driver.Conn, error) {
	return nil, errors.New("sqldb: open: database/sql opens this driver through OpenConnector")
}

func (r registeredDriver) OpenConnector(dsn string) (driver.Connector, error) {
	cfg, err := newConfig(r.opts)
	if err != nil {
		return nil, err
	}
	return newConnector(r.name, r.driver, dsn, r.chain, cfg)
}

// open makes the *sql.DB and remembers its connector for Wrap.
func open(c *connector) *sql.DB {
	db := sql.OpenDB(c)
	key := weak.Make(db)
	connectors.Store(key, c)
	runtime.AddCleanup(db, func(key weak.Pointer[sql.DB]) { connectors.Delete(key) }, key)
	return db
}

// connectors finds the connector of a *sql.DB that this package opened, which
// database/sql does not tell. It keeps no database alive.
var connectors sync.Map // weak.Pointer[sql.DB] → *connector

func connectorOf(db *sql.DB) (*connector, bool) {
	c, ok := connectors.Load(weak.Make(db))
	if !ok {
		return nil, false
	}
	return c.(*connector), true
}

// Raw returns the driver's own connection behind the one that [sql.Conn.Raw]
// gives, or c itself if this package did not make it:
//
//	err := conn.Raw(func(c any) error {
//		pgxConn := sqldb.Raw(c).(*stdlib.Conn).Conn()
//		…
//	})
//
// What you do with it bypasses the pipeline. Since you may begin a transaction,
// no statement is retried on this connection until the server has confirmed,
// when the connection is next handed out, that none is open; MySQL can't do so.
// For code that asserts the type of a connection itself see [WithDriverConns].
func Raw(c any) any {
	if u, ok := c.(interface{ Raw() driver.Conn }); ok {
		return u.Raw()
	}
	return c
}
