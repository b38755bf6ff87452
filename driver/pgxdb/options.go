package pgxdb

import (
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
)

// An Option configures how a pool or connection is attached to its chain.
type Option interface{ apply(c *config) error }

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	target       *sp.Target // nil: from the configuration of the connections
	acquireCalls bool
	router       sp.Router // nil: there is one server
}

func defaultConfig() config { return config{} }

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
// By default it is read from the configuration of the connections; with several
// hosts a call gets the one that its connection reached. A target with neither
// host nor namespace is not shared with other pools. One without a system or
// with an impossible port is an error.
func WithTarget(t sp.Target) Option {
	return optionFunc(func(c *config) error {
		if t.System == "" {
			return errors.New("pgxdb: WithTarget: the target has no System")
		}
		if t.Port < 0 || t.Port > 65535 {
			return fmt.Errorf("pgxdb: WithTarget: port %d is not between 0 and 65535", t.Port)
		}
		t := t.Apart()
		c.target = &t
		return nil
	})
}

// WithAcquireCalls makes a call, a step of the statement's call, for every
// connection that a statement takes from its pool. It ends when the connection
// is returned: traces show the wait, metrics the time of use. By default only
// [Pool.Acquire] is a call.
func WithAcquireCalls() Option {
	return optionFunc(func(c *config) error {
		c.acquireCalls = true
		return nil
	})
}
