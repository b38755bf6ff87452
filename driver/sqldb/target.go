package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

// ParseTarget returns the database that a driver's name and a data source name
// refer to, as far as they show it. If possible the driver itself parses them,
// so that the environment and service files are included. If there are several
// hosts, none is named, since the one a connection reaches is known only once
// it is open. Nothing is guessed: unknown fields are empty, and if a name can
// be read in several ways, only the system is set. The result holds no
// password, and ParseTarget does not connect.
func ParseTarget(driverName, dsn string) sp.Target {
	var d driver.Driver
	if slices.Contains(sql.Drivers(), driverName) {
		d, _ = driverOf(driverName, dsn) // without it the name tells what it can
	}
	name, _ := dbname.Parse(driverName, d, dsn) // an error says why the rest is not known
	return name.Target
}

// maxReached bounds how many targets a handle keeps: its hosts, as a rule.
const maxReached = 64

// meet finds out which database an open connection leads to. The result is the
// handle's own target unless the connection tells otherwise.
func (c *connector) meet(ctx context.Context, raw driver.Conn, d *driverConn) *sp.Target {
	known := c.target.Load()
	if c.name == nil {
		return known // the caller has said what it is
	}
	t, differs := c.name.Reached(raw)
	if differs && !c.name.Several() {
		c.target.Store(c.share(t)) // what the handle is, after all
	}
	if c.askServer.Load() {
		c.tellMariaDB(ctx, d)
	}
	now := c.target.Load()
	if !differs || !c.name.Several() {
		return now
	}
	t.System = now.System
	return c.share(t)
}

// share returns the one pointer to a target, by which calls know it.
func (p *pipeline) share(t sp.Target) *sp.Target {
	p.reached.Lock()
	defer p.reached.Unlock()
	for _, known := range p.reached.targets {
		if *known == t {
			return known
		}
	}
	if len(p.reached.targets) == maxReached {
		return p.target.Load()
	}
	p.reached.targets = append(p.reached.targets, &t)
	return &t
}
