package engine

import (
	"fmt"
	"log/slog"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/echo"
)

// An Option changes how [Open] opens a database.
type Option interface{ apply(c *config) error }

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	backend.Config
	echo     *slog.Logger
	echoArgs bool
	lazy     bool
}

// Default bounds of a pool; they are SQLAlchemy's.
const (
	defaultPoolSize    = 5
	defaultMaxOverflow = 10
	defaultPoolTimeout = 30 * time.Second
)

func defaultConfig() config {
	return config{Config: backend.Config{
		PoolSize:    defaultPoolSize,
		MaxOverflow: defaultMaxOverflow,
		PoolTimeout: defaultPoolTimeout,
	}}
}

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

// maxPool bounds the options of a pool: far above what any server takes.
const maxPool = 1 << 20

// WithChain passes every operation through chain. By default there is none.
func WithChain(chain sp.Chain) Option {
	return optionFunc(func(c *config) error {
		c.Chain = chain
		return nil
	})
}

// WithPoolSize sets how many connections are kept open while idle: 5 by
// default, from 1 to 1,048,576. In-memory SQLite has one connection, whatever
// is set.
func WithPoolSize(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 1 || n > maxPool {
			return fmt.Errorf("engine: WithPoolSize: %d is not between 1 and %d", n, maxPool)
		}
		c.PoolSize = n
		return nil
	})
}

// WithMaxOverflow sets how many connections beyond the pool's size may be open
// at once: 10 by default, from 0 to 1,048,576. They are closed when they are
// released.
func WithMaxOverflow(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 0 || n > maxPool {
			return fmt.Errorf("engine: WithMaxOverflow: %d is not between 0 and %d", n, maxPool)
		}
		c.MaxOverflow = n
		return nil
	})
}

// WithPoolTimeout sets how long to wait for a connection when all are in use:
// 30 seconds by default. 0 waits as long as the context allows; a negative d
// is an error.
func WithPoolTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < 0 {
			return fmt.Errorf("engine: WithPoolTimeout: %s is negative", d)
		}
		c.PoolTimeout = d
		return nil
	})
}

// WithPoolRecycle sets the age at which a connection is replaced instead of
// being reused. By default, and with 0, none is replaced; a negative d is an
// error.
func WithPoolRecycle(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < 0 {
			return fmt.Errorf("engine: WithPoolRecycle: %s is negative", d)
		}
		c.PoolRecycle = d
		return nil
	})
}

// WithPrePing verifies a connection by a round trip whenever it is taken from
// the pool, and replaces it if it is dead. By default a connection is verified
// only as its driver does, without a round trip.
func WithPrePing() Option {
	return optionFunc(func(c *config) error {
		c.PrePing = true
		return nil
	})
}

// WithEcho writes every statement to logger at level info when it has finished,
// innermost in the chain: each attempt of a retry is shown. Literals in the SQL
// text are hidden, and so are arguments; see [WithEchoArguments].
func WithEcho(logger *slog.Logger) Option {
	return optionFunc(func(c *config) error {
		if logger == nil {
			return fmt.Errorf("engine: WithEcho: the logger is nil")
		}
		c.echo = logger
		return nil
	})
}

// WithEchoArguments makes [WithEcho] show arguments and literals too. They may
// contain personal data: use it for development only.
func WithEchoArguments() Option {
	return optionFunc(func(c *config) error {
		c.echoArgs = true
		return nil
	})
}

// WithLazyConnect makes [Open] return without connecting. An unreachable
// database is then noticed at first use, and until then [Engine.Dialect] knows
// only what the URL says.
func WithLazyConnect() Option {
	return optionFunc(func(c *config) error {
		c.lazy = true
		return nil
	})
}

// withEcho returns the chain with the echo innermost, if echo is on.
func (c *config) withEcho() sp.Chain {
	if c.echo == nil {
		return c.Chain
	}
	return c.Chain.Append(echo.New(c.echo, c.echoArgs))
}
