package sqldb

import (
	"context"
	"database/sql/driver"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

// pipeline is what all connections of one database share.
type pipeline struct {
	chain     sp.Chain
	handler   sp.Handler
	enabled   func(context.Context, sp.Op) bool // see [sp.Chain.Enabled]; nil: always
	empty     bool
	target    atomic.Pointer[sp.Target]
	askServer atomic.Bool // MySQL may still turn out to be MariaDB, or the other way round
	habits    habits
	facts     serverFacts
	bare      bool // connections are the driver's own

	reached struct { // by connections, where they tell
		sync.Mutex
		targets []*sp.Target
	}
}

func newPipeline(chain sp.Chain, d driver.Driver, cfg config) *pipeline {
	p := &pipeline{
		chain:   chain,
		handler: chain.Then(attach.Perform),
		enabled: chain.Enabled(),
		empty:   chain.Len() == 0,
		habits:  habitsOf(d, cfg),
		bare:    cfg.bare,
	}
	p.target.Store(cfg.target)
	p.askServer.Store(!p.empty && cfg.askServer && cfg.target.Key().System == sp.MySQL)
	return p
}

// passes reports whether a statement made with ctx needs no call: every
// link of the chain is off, and it is no step of a call above.
func (p *pipeline) passes(ctx context.Context, op sp.Op) bool {
	return p.enabled != nil && !p.enabled(ctx, op) && sp.CallFrom(ctx) == nil
}

// connector opens connections through the chain.
type connector struct {
	*pipeline
	parent driver.Connector
	name   *dbname.Name // nil if the caller has said what it is
	mask   dbname.Name
}

// Driver returns the driver that is wrapped.
func (c *connector) Driver() driver.Driver { return c.parent.Driver() }

// Close closes the driver's connector, if it can be closed: database/sql calls
// it from DB.Close.
func (c *connector) Close() error {
	if closer, ok := c.parent.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// Connect dials, as a call of its own.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.empty {
		raw, err := c.parent.Connect(ctx)
		if err != nil {
			return nil, c.mask.Hide("sqldb: connect", err)
		}
		if c.bare {
			return raw, nil
		}
		return newFacade(newDriverConn(raw, c.pipeline), c.pipeline, nil)
	}
	d, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	if c.bare {
		return d.raw, nil
	}
	if err := d.driver.learnSettings(ctx); err != nil {
		d.drop()
		return nil, err
	}
	return newFacade(d.driver, c.pipeline, d.Target)
}

func (c *connector) dial(ctx context.Context) (*dialCall, error) {
	d := &dialCall{connector: c}
	attach.Reset(&d.Call, d)
	d.Op, d.Target = sp.OpConnect, c.target.Load()
	attach.Bind(ctx, &d.Call)
	if _, err := attach.Run(ctx, &d.Call, c.handler); err != nil {
		d.drop()
		return nil, err
	}
	if d.raw == nil {
		return nil, errNotPerformed(d.Op)
	}
	return d, nil
}

// dialCall is the call of opening a connection.
type dialCall struct {
	sp.Call
	connector *connector
	raw       driver.Conn
	driver    *driverConn
}

func (d *dialCall) Do(ctx context.Context, _ *sp.Call) error {
	d.drop()
	raw, err := d.connector.parent.Connect(ctx)
	if err != nil {
		d.Judge(ctx, err, fault.PhaseConnect, fault.ProgressUnsent)
		return d.connector.mask.Hide("sqldb: connect", err)
	}
	d.raw, d.driver = raw, newDriverConn(raw, d.connector.pipeline)
	d.Target = d.connector.meet(ctx, raw, d.driver)
	return nil
}

// drop closes a connection that was opened and then refused by an interceptor.
func (d *dialCall) drop() {
	if d.raw != nil {
		_ = d.raw.Close()
		d.raw = nil
	}
}

// askTimeout bounds the question that tells MariaDB from MySQL.
const askTimeout = 5 * time.Second

// tellMariaDB asks the server, once per database, for its version, because
// MariaDB and MySQL have one driver and db.system.name names the server. If
// the question fails it is asked again with the next connection.
func (c *connector) tellMariaDB(ctx context.Context, d *driverConn) {
	if d.queryer == nil {
		c.askServer.Store(false)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	row, err := d.row(ctx, "SELECT VERSION()", 1)
	if err != nil || !c.askServer.CompareAndSwap(true, false) {
		return
	}
	t := *c.target.Load()
	t.System = sp.MySQL
	if strings.Contains(strings.ToLower(row[0]), "mariadb") {
		t.System = sp.MariaDB
	}
	c.target.Store(c.share(t))
}
