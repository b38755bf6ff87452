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
)

// Open opens a database like [sql.Open], with every operation passed through
// chain. driverName is that of a registered driver, dsn a data source name of
// that driver. Open does not connect. An unknown driver, a malformed dsn and a
// bad option are errors; no error holds the password of dsn.
//
// The *sql.DB is used and closed like any other.
func Open(driverName, dsn string, chain sp.Chain, opts ...Option) (*sql.DB, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	mask := newRedactor(dsn)
	if !slices.Contains(sql.Drivers(), driverName) {
		return nil, fmt.Errorf("sqldb: open: unknown driver %q: import its package; registered are %s",
			driverName, registered())
	}
	probe, err := sql.Open(driverName, dsn)
	if err != nil {
		return nil, mask.hide("open with driver "+driverName, err)
	}
	d := probe.Driver()
	if err := probe.Close(); err != nil {
		return nil, mask.hide("open with driver "+driverName, err)
	}
	c, err := newConnector(driverName, d, dsn, chain, cfg)
	if err != nil {
		return nil, err
	}
	return open(c), nil
}

func registered() string {
	if names := sql.Drivers(); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "none"
}

// newConnector makes a connector for one data source name of a driver.
func newConnector(driverName string, d driver.Driver, dsn string, chain sp.Chain, cfg config) (*connector, error) {
	mask := newRedactor(dsn)
	var parent driver.Connector = dsnConnector{dsn: dsn, driver: d}
	if dc, ok := d.(driver.DriverContext); ok {
		var err error
		if parent, err = dc.OpenConnector(dsn); err != nil {
			return nil, mask.hide("open with driver "+driverName, err)
		}
	}
	if cfg.target == nil {
		t := ParseTarget(driverName, dsn)
		cfg.target = &t
	}
	return &connector{pipeline: newPipeline(chain, d, cfg), parent: parent, mask: mask}, nil
}

// OpenDB opens a database like [sql.OpenDB], with every operation of c's
// connections passed through chain. A connector tells nothing of its database:
// say what it is [WithTarget]. A bad option makes every use of the database
// fail with an error that names it.
func OpenDB(c driver.Connector, chain sp.Chain, opts ...Option) *sql.DB {
	cfg, err := newConfig(opts)
	if err != nil {
		return sql.OpenDB(failing{err: err, driver: c.Driver()})
	}
	if cfg.target == nil {
		cfg.target = &sp.Target{System: sp.OtherSQL}
	}
	return open(&connector{pipeline: newPipeline(chain, c.Driver(), cfg), parent: c})
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
// What is done with it bypasses the pipeline. For code that asserts the type of a
// connection itself see [WithDriverConns].
func Raw(c any) any {
	if u, ok := c.(interface{ Raw() driver.Conn }); ok {
		return u.Raw()
	}
	return c
}
