package sqldb

import (
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// An Option changes how a database is opened.
type Option interface{ apply(c *config) error }

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	target    *sp.Target // nil: from the data source name
	trust     trust
	idlePing  time.Duration // 0: by the driver; negative: off
	bare      bool          // give database/sql the driver's own connections
	askServer bool          // tell MariaDB from MySQL at the first connection
}

func defaultConfig() config { return config{trust: trustByDriver, askServer: true} }

func newConfig(opts []Option) (config, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// WithTarget states which database this is, for spans, metrics and the breaker.
// By default it is read from the driver; see [ParseTarget] and [OpenDB]. A
// target with neither host nor namespace is not shared with other handles.
func WithTarget(t sp.Target) Option {
	return optionFunc(func(c *config) error {
		if t.System == "" {
			return fmt.Errorf("sqldb: WithTarget: the target has no System")
		}
		if t.Port < 0 || t.Port > 65535 {
			return fmt.Errorf("sqldb: WithTarget: port %d is not between 0 and 65535", t.Port)
		}
		t := t.Apart()
		c.target, c.askServer = &t, false
		return nil
	})
}

// WithTrustedBadConn declares that this driver returns driver.ErrBadConn only
// if nothing was sent, as the contract of database/sql requires, so that
// database/sql may send the statement again. By default only
// go-sql-driver/mysql is trusted.
func WithTrustedBadConn() Option {
	return optionFunc(func(c *config) error {
		c.trust = trustAlways
		return nil
	})
}

// WithIdlePing pings a pooled connection before use if it was idle for d or
// longer, so that a connection that has died is replaced and no write fails
// because of it. A ping costs a round trip. The default is one second for
// lib/pq and none for others: pgx and go-sql-driver/mysql check themselves. A
// negative d turns the ping off; 0 is an error.
func WithIdlePing(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d == 0 {
			return fmt.Errorf("sqldb: WithIdlePing: 0 is no duration; a negative one turns the ping off")
		}
		c.idlePing = d
		return nil
	})
}

// WithDriverConns gives database/sql the driver's own connections, so that
// [sql.Conn.Raw] passes them to code that asserts their type and can't call
// [Raw], such as COPY of bun's pgdriver.
//
// Then only opening connections passes through the chain; statements do not,
// and database/sql decides what driver.ErrBadConn means, so it may send a
// statement again that the server has received. Use it only for a second
// *sql.DB beside the service's own, for nothing but such code. [Wrap] refuses
// it.
func WithDriverConns() Option {
	return optionFunc(func(c *config) error {
		c.bare = true
		return nil
	})
}
